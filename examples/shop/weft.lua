-- SPDX-License-Identifier: MIT
-- Where the shop keeps its data: three databases that know nothing of each other. Each url can be changed
-- in the environment (WEFT_DATABASE_PRODUCT_SERVICE=postgres://...), nothing else in the shop changes.

local here = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"

return {
  databases = {
    product_service = "sqlite:" .. here .. "var/product.db",
    seller_service = "sqlite:" .. here .. "var/seller.db",
    policy_service = "sqlite:" .. here .. "var/policy.db",
  },
  models = here .. "models",
  services = here .. "services",
}
