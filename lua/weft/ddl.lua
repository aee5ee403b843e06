-- SPDX-License-Identifier: MIT
-- Statements that make schemas, all of it: of a schema, of the way from one to another, of model scripts.

local models = require "weft.ddl.models"
local statements = require "weft.ddl.statements"

return {
  dialect = statements.dialect,
  create = statements.create,
  alter = statements.alter,
  of_models = models.of,
  missing = models.missing,
}
