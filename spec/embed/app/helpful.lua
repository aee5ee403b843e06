-- SPDX-License-Identifier: MIT
return { word = "helped" }
