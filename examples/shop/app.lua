-- SPDX-License-Identifier: MIT
-- The shop on the web: weft serve examples/shop. Pages for people, /api for programs; all the work is the services'.

local weft = require "weft"
local ready = require "ready"

local app = weft.app { views = "views" }
local services = weft.services

app:on_start(function() ready "./" end)

-- ---- pages ----

---What a query string may ask of the search.
local function search_of(req)
  local query = req.query
  local function text(name) return req:text(name, false, 1000) end
  local country = text "country"
  return {
    text = text "text", min_price = text "min_price", max_price = text "max_price", order = text "order",
    in_stock = query.in_stock == "yes" or nil, country = country ~= "" and country or nil,
    category_id = query.category_id and req:integer("category_id"), seller_id = query.seller_id and req:integer("seller_id"),
    size = req:integer("size", 20, 1, 100), after = text "after", before = text "before",
  }
end

app:get("/", function(req, res)
  return res:render("products", { found = services.search(search_of(req)), query = req.query })
end)

app:get("/products/:id", function(req, res)
  local product = services.product_detail { product_id = req.params.id }
  if not product then return 404 end
  return res:render("product", { product = product })
end)

-- ---- the same for programs ----

app:group("/api", function(api)
  api:get("/products", function(req) return services.search(search_of(req)) end)
  api:get("/products/:id", function(req) return services.product_detail { product_id = req.params.id } or 404 end)

  api:group("/customers/:customer", function(customer)
    ---The body's fields with the customer of the path.
    local function input(req, fields)
      local values = {}
      for name, value in pairs(fields and req:json(fields) or {}) do values[name] = value end
      values.customer_id = math.tointeger(req.params.customer) or weft.fail("not_found", "there is no such customer")
      return values
    end

    customer:get("/cart", function(req) return services.cart.show(input(req)) end)
    customer:post("/cart", function(req, res)
      res.status = 201
      return services.cart.add(input(req, { "variant_id", "quantity", "version" }))
    end)
    customer:delete("/cart/:variant", function(req)
      local values = input(req)
      values.variant_id = req.params.variant
      return services.cart.remove(values)
    end)
    customer:post("/checkout", function(req, res)
      res.status = 201
      return services.cart.checkout(input(req, { "version" }), {})
    end)
    customer:get("/orders", function(req)
      local values = input(req)
      values.size, values.after, values.before = req:integer("size", 10, 1, 100), req:text("after", false), req:text("before", false)
      return services.orders(values)
    end)
  end)
end)

return app
