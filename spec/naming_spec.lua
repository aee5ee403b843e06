-- SPDX-License-Identifier: MIT
-- Names of tables and associations: snake_case, plural, singular.

local naming = require "weft.naming"

local words = {
  album = "albums", product = "products", media_type = "media_types", playlist_track = "playlist_tracks",
  day = "days", category = "categories", country_code = "country_codes", key = "keys",
  box = "boxes", tax = "taxes", branch = "branches", wish = "wishes", cache = "caches", purchase = "purchases",
  address = "addresses", class = "classes", business_process = "business_processes",
  status = "statuses", bus = "buses", virus = "viruses", bonus = "bonuses", campus = "campuses",
  house = "houses", warehouse = "warehouses", cause = "causes", case = "cases", database = "databases",
  invoice = "invoices", license = "licenses", response = "responses", use = "uses",
  analysis = "analyses", axis = "axes", alias = "aliases", canvas = "canvases", gas = "gases", lens = "lenses",
  movie = "movies", cookie = "cookies", size = "sizes", waltz = "waltzes", quiz = "quizzes", buzz = "buzzes",
  api = "apis", menu = "menus", sku = "skus", shoe = "shoes", hero = "heroes", leaf = "leaves", move = "moves",
  person = "people", sales_person = "sales_people", child = "children", woman = "women", mouse = "mice",
  series = "series", news = "news", media = "media", user_metadata = "user_metadata", employee = "employees",
  fee = "fees", a = "as", b2b_link = "b2b_links", ["größe"] = "größes", ["order line"] = "order lines",
}

describe("naming", function()
  it("gives the plural of a word, and of a plural itself", function()
    for one, many in pairs(words) do
      assert.same({ one, many }, { one, naming.plural(one) })
      assert.same({ many, many }, { many, naming.plural(many) })
    end
  end)

  it("gives the singular of a plural, and of a singular itself", function()
    for one, many in pairs(words) do
      assert.same({ many, one }, { many, naming.singular(many) })
      assert.same({ one, one }, { one, naming.singular(one) })
    end
  end)

  it("knows plurals that it would not make", function()
    for many, one in pairs { indices = "index", matrices = "matrix", vertices = "vertex", price_indices = "price_index" } do
      assert.equal(one, naming.singular(many))
    end
  end)

  it("takes any text", function()
    for _, text in ipairs { "", "_", "__", "s", "ss", "es", "ies", "_s", "a_", ("s"):rep(1000), "\xff", "%s" } do
      assert.equal("string", type(naming.singular(text)))
      assert.equal("string", type(naming.plural(text)))
    end
  end)
end)
