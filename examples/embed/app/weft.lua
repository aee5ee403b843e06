-- SPDX-License-Identifier: MIT
-- Where the warehouse keeps its stock. WEFT_DATABASE_WAREHOUSE=postgres://... moves it elsewhere.
return { databases = { warehouse = "sqlite::memory:" } }
