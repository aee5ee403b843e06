-- SPDX-License-Identifier: MIT
-- weft new, and what it writes: migrated, asked, served.

local curl = require "weft.curl"
local weft = require "weft"
local program = require "spec.support.program"
local shell = require "spec.support.shell"

local quote = shell.quote
local binary = os.getenv "WEFT_SPEC_BUILD" .. "/weft"

describe("weft new", function()
  local folder
  before_each(function() folder = shell.must("mktemp -d"):gsub("%s+$", "") end)
  after_each(function() program.remove(folder) end)

  ---Runs the program in a folder; output and errors together.
  local function weft_in(where, ...)
    local status, out, err = program.run(where, ...)
    assert.equal(0, status, out .. err)
    return out .. err
  end

  it("writes an app whose specs pass", function()
    local said = weft_in(folder, "new", "a b/shop")
    assert.truthy(said:find("cd 'a b/shop'", 1, true))
    local made = folder .. "/a b/shop"
    assert.equal(".gitignore README.md app.lua migrations models services spec weft.lua",
      (shell.must("cd " .. quote(made) .. " && LC_ALL=C ls -A"):gsub("\n$", ""):gsub("\n", " ")))
    assert.equal("# shop\n", shell.read(made .. "/README.md"):match "^[^\n]*\n")
    assert.equal("ok\n", weft_in(made, "run", "spec/notes_spec.lua"))
  end)

  it("writes into an empty folder, and refuses any other", function()
    weft_in(folder, "new", folder)
    local before = shell.must("cd " .. quote(folder) .. " && find . -type f | xargs cksum")
    for _, words in ipairs { { "new", folder }, { "new" }, { "new", "a", "b" }, { "new", "" }, { "new", "--x" }, { "new", folder .. "/app.lua" } } do
      local status, _, err = program.run(folder, table.unpack(words))
      assert.equal(2, status, err)
      assert.truthy(err:find("usage: weft new", 1, true))
    end
    assert.equal(before, shell.must("cd " .. quote(folder) .. " && find . -type f | xargs cksum"))
    shell.must("mkdir " .. quote(folder .. "/hidden") .. " && touch " .. quote(folder .. "/hidden/.x"))
    assert.equal(2, (program.run(folder, "new", "hidden")))
    assert.equal(0, (program.run(folder, "new", "--help")))
    assert.equal(1, (program.run(folder, "new", "app.lua/below")))
  end)

  it("writes an app that is migrated, served, and asked by anybody", function()
    weft_in(folder, "new", "shop")
    local made = folder .. "/shop"
    assert.truthy(weft_in(made, "migrate", "up"):find("applied 1_notes", 1, true))
    assert.truthy(weft_in(folder, "migrate", "status", "--check", "--app", "shop"):find("1_notes", 1, true))
    local port = shell.free_port()
    local pipe = io.popen(("cd %s && echo $$ >pid && exec %s serve --port %d --workers 1 >log 2>&1"):format(quote(made), quote(binary), port), "w")
    repeat local pid = (shell.read(made .. "/pid") or ""):match "^(%d+)\n" until pid
    finally(function()
      shell.run("kill " .. shell.read(made .. "/pid"))
      pipe:close()
    end)
    local client = curl.new { proxy = false }
    local function ask(method, path, value)
      return client:request { method = method, url = ("http://127.0.0.1:%d%s"):format(port, path), body = value and weft.encode(value),
        headers = value and { ["Content-Type"] = "application/json" } }
    end
    for _ = 1, 500 do
      if pcall(ask, "GET", "/") then break end
      shell.sleep(0.01)
    end
    assert.equal(200, ask("GET", "/").status)
    assert.equal(201, ask("POST", "/notes", { title = "Milk" }).status)
    assert.equal("Milk", weft.decode(ask("GET", "/notes?q=ilk").body)[1].title)
    assert.equal(400, ask("POST", "/notes", {}).status)
    assert.equal(404, ask("GET", "/notes/9").status)
    client:close()
  end)
end)
