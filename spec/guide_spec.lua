-- SPDX-License-Identifier: MIT
-- README.md and docs/guide.md claim what their programs print. Every ```lua block is written to a folder
-- of its own, in order: one whose first line is a file's name ("-- models/shop/Product.lua") as that file, any
-- other as program.lua, which the weft program then runs; the ```text block behind it is what it prints,
-- nothing when there is none.

local backends = require "spec.support.backends"
local shell = require "spec.support.shell"

local quote = shell.quote
local weft = quote(os.getenv "WEFT_SPEC_BUILD" .. "/weft")

---The fenced blocks of a page in order: { word, text, line }.
local function blocks(text)
  local list, block, number = {}, nil, 0
  for line in text:gmatch "([^\n]*)\n" do
    number = number + 1
    local word = line:match "^```(.*)$"
    if not word then
      if block then block.text = block.text .. line .. "\n" end
    elseif block then
      assert(word == "", "a block that opens inside of another, at line " .. number)
      list[#list + 1], block = block, nil
    else
      block = { word = word, text = "", line = number }
    end
  end
  assert(not block, "a block that does not end")
  return list
end

---What is done with a page: { file, text } is written, { program, prints, line } is run.
local function steps(text)
  local list, last = {}, nil
  for _, block in ipairs(blocks(text)) do
    local where = (" at line %d"):format(block.line)
    local file = block.text:match "^%-%- ([%w_/]+%.lua)\n"
    if block.word == "text" then
      assert(last and last.program and last.prints == "", "output of no program" .. where)
      last.prints = block.text
    elseif block.word == "lua" then
      last = file and { file = file, text = block.text } or { program = block.text, prints = "", line = block.line }
      list[#list + 1] = last
    elseif block.word ~= "nginx" then -- what is not ours to run
      error("a block of neither lua nor text" .. where)
    end
  end
  return list
end

local function page(path) return assert(shell.read(shell.root() .. "/" .. path), path) end

---Output without the statements, which are each database's own.
local function without_sql(text)
  return (text:gsub("[^\n]*%f[%w]select \"[^\n]*\n", ""))
end

---Runs a page in an empty folder.
---@param path string
---@param environment? string words before the program, as "WEFT_DATABASE_SHOP=..."
---@param shown? fun(output: string): string what of the output is compared
---@return integer number of programs
local function run(path, environment, shown)
  shown = shown or function(output) return output end
  local folder = shell.must("mktemp -d"):gsub("%s+$", "")
  finally(function() shell.run("rm -rf " .. quote(folder)) end)
  local count = 0
  for _, step in ipairs(steps(page(path))) do
    if step.file then
      shell.must("mkdir -p " .. quote((folder .. "/" .. step.file):match "^(.*)/"))
      shell.write(folder .. "/" .. step.file, step.text)
    else
      count = count + 1
      shell.write(folder .. "/program.lua", step.program)
      local ok, output = shell.run(("cd %s && env %s %s run program.lua"):format(quote(folder), environment or "", weft))
      local where = ("%s:%d"):format(path, step.line)
      assert.is_true(ok, where .. "\n" .. output)
      assert.equal(shown(step.prints), shown(output), where)
    end
  end
  return count
end

local function database(name) return "WEFT_DATABASE_" .. name:upper() .. "=" .. quote(backends.postgres.url()) end

describe("README.md", function()
  it("shows what its programs print", function() assert.is_true(run("README.md", database "sellers") > 0) end)
end)

describe("docs/guide.md", function()
  it("shows what its programs print", function() assert.is_true(run "docs/guide.md" > 20) end)

  it("is as true of PostgreSQL", function()
    run("docs/guide.md", database "shop" .. " " .. database "sellers", without_sql)
  end)

  it("is as true of two different databases", function() run("docs/guide.md", database "sellers") end)
end)

describe("a page", function()
  it("is read in blocks", function()
    local list = steps "a\n```lua\n-- x/y.lua\nreturn 1\n```\n```lua\nprint(1)\n```\n\nb\n```text\n1\n```\n```lua\n-- a word\n```\n"
    assert.same({ { file = "x/y.lua", text = "-- x/y.lua\nreturn 1\n" }, { program = "print(1)\n", prints = "1\n", line = 6 },
      { program = "-- a word\n", prints = "", line = 14 } }, list)
    for _, wrong in ipairs { "```lua\n", "```text\n1\n```\n", "```lua\n-- f.lua\n```\n```text\n```\n", "```sh\nls\n```\n",
      "```lua\nx()\n```lua\n```\n" } do
      assert.is_false(pcall(steps, wrong), wrong)
    end
    assert.equal("a\nb\n", without_sql "a\n3 rows\tselect \"x\" from \"y\"\nselect \"x\"\nb\n")
  end)

  it("links to what is there", function()
    local folder_of = { ["README.md"] = "", ["docs/guide.md"] = "docs/" }
    for path, folder in pairs(folder_of) do
      for target in page(path):gmatch "%]%(([^)]+)%)" do
        local file, anchor = target:match "^([^#]*)#?(.*)$"
        local text = page(file == "" and path or folder .. file)
        local headings = {}
        for heading in ("\n" .. text):gmatch "\n#+ ([^\n]*)" do headings[heading:lower():gsub("[^%w -]", ""):gsub(" ", "-")] = true end
        assert.is_true(anchor == "" or headings[anchor] == true, path .. " " .. target)
      end
    end
  end)
end)
