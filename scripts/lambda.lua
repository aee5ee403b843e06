-- SPDX-License-Identifier: MIT
-- weft lambda HANDLER | --event FILE | --zip FOLDER: serves AWS Lambda (--help)

local usage = [[
usage: weft lambda [HANDLER] [options]

HANDLER is handler.lua, or handler.name for a function in the table that handler.lua returns; unless given it is _HANDLER of the
environment. The script returns a function(event, ctx), a table of such functions, or a weft.app(). Inside AWS (bootstrap calls
this) it answers invocations until the process is ended.

  --event FILE          answers one event here, from a file or - (stdin), and prints the response
  --zip FOLDER          packs an app, this program and the libraries that it needs: a function for provided.al2023 and newer
  --output FILE         --zip: where to (build/lambda.zip)
  --drivers LIST        --zip: for which databases, as sqlite,postgres (those of weft.lua)
  --app DIR             folder of the app, with the handler and weft.lua, if it has one (the working folder)

Exits 0 when all is well, 1 when something failed (also when the handler does not load), 2 when this was not understood.
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path
local app = require "app.app"
local lambda = require "weft.lambda"

local options, words

local exists = require "weft.loader".exists

---The script that is meant, and the function's name in it.
local function place_of(word)
  if word:find "%.lua$" then return app.path(options, word) end
  local path = app.path(options, word .. ".lua")
  if exists(path) then return path end
  local stem, name = word:match "^(.*)%.([^./]*)$"
  return app.path(options, (stem or word) .. ".lua"), name
end

local function load_handler(word)
  local path, name = place_of(word)
  if options.app then package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(options.app, options.app, package.path) end
  app.load_as_it_is(options)
  return lambda.handler(require "weft.loader".run(path, "the handler " .. path), name, path)
end

local function read(path)
  if path == "-" then return io.read "a" end
  local file, why = io.open(path, "rb")
  if not file then app.misuse("--event: %s", why) end
  local text = file:read "a"
  file:close()
  return text
end

---One invocation, as if AWS had asked.
local function answer_event(word)
  local text = read(options.event)
  local ok, handler = xpcall(load_handler, lambda.failure, word)
  local failure = not ok and handler or nil
  local result
  if ok then
    result, failure = lambda.invoke(handler, text, lambda.context { ["lambda-runtime-aws-request-id"] = "local" })
  end
  if failure then error(("%s: %s\n  %s"):format(failure.type, failure.message, table.concat(failure.stack, "\n  ")), 0) end
  print(result)
end

local function main()
  options, words = app.parse(arg, { event = "text", zip = "text", output = "text", drivers = "text", app = "text" }, usage)
  if words[2] then app.misuse("one handler, not '%s' too", words[2]) end
  if options.zip then return require "lambda.zip".write(options, folder) end
  local word = words[1] or os.getenv "_HANDLER"
  if not word or word == "" then app.misuse "a handler is needed, as handler.lua" end
  if options.event then return answer_event(word) end
  local api = os.getenv "AWS_LAMBDA_RUNTIME_API"
  if not api then app.misuse "AWS_LAMBDA_RUNTIME_API is not set: this is not AWS Lambda; --event FILE answers one event here" end
  lambda.serve(api, function() return load_handler(word) end)
end

app.run(main, usage)
