-- SPDX-License-Identifier: MIT
return function(input) return { whole = input } end
