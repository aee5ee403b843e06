-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model {
  table = "return_policies",
  associations = {
    guidelines = weft.has_many { model = "Guideline", foreign_key = "policy_id", order = "position" },
  },
}
