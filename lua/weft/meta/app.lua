-- SPDX-License-Identifier: MIT
---@meta
-- What editors know of apps: see weft.lua.
-- luacheck: ignore

---What a handler returns: a table (JSON), a text, a query (its rows as JSON), a status, or a status and a body.
---@alias weft.Handler fun(req: weft.Request, res: weft.Response): any, any
---What stands around handlers. next() goes on and returns what the handler returned.
---@alias weft.Middleware fun(req: weft.Request, res: weft.Response, next: fun(): any, any): any, any

---The verbs of apps and groups. A path's ":id" is a parameter, "*rest" at its end the rest of a path.
---@class weft.Routes
local Routes = {}

---Answers GET, and HEAD, which it answers without a body.
---@param path string
---@param fn weft.Handler
function Routes:get(path, fn) end

---Answers POST.
---@param path string
---@param fn weft.Handler
function Routes:post(path, fn) end

---Answers PUT.
---@param path string
---@param fn weft.Handler
function Routes:put(path, fn) end

---Answers PATCH.
---@param path string
---@param fn weft.Handler
function Routes:patch(path, fn) end

---Answers DELETE.
---@param path string
---@param fn weft.Handler
function Routes:delete(path, fn) end

---Answers HEAD otherwise than GET does.
---@param path string
---@param fn weft.Handler
function Routes:head(path, fn) end

---Answers OPTIONS otherwise than with the methods that are allowed.
---@param path string
---@param fn weft.Handler
function Routes:options(path, fn) end

---Answers every method that has no route of its own there.
---@param path string
---@param fn weft.Handler
function Routes:all(path, fn) end

---Answers a method by its name.
---@param method string "GET", "PURGE" ...
---@param path string
---@param fn weft.Handler
function Routes:route(method, path, fn) end

---Calls fn(group): routes below a prefix, with middleware of their own.
---@param prefix string
---@param fn fun(group: weft.Group)
function Routes:group(prefix, fn) end

---Adds middleware: of all requests of an app, those without a route, too; of the routes of a group. It runs in the
---order of use. With a path: for that one and below.
---@param path string|weft.Middleware
---@param fn? weft.Middleware
function Routes:use(path, fn) end

---@class weft.Group: weft.Routes

---What weft.app makes.
---@class weft.App: weft.Routes
---@field dev boolean whether errors tell their details
---@field views string the folder of templates
local App = {}

---Hands requests to a prefix and below to another app, which sees them by the rest of their path.
---@param prefix string
---@param other weft.App
function App:mount(prefix, other) end

---Serves the plain files of a folder below a prefix; nothing outside of the folder, no name that begins with a dot.
---@param prefix string
---@param folder string
---@param options? { max_age?: integer, index?: string|false } max_age: seconds for which clients keep them; index: "index.html"
function App:static(prefix, folder, options) end

---Sessions in a signed cookie: req.session is a table, kept when it was changed; {} ends it. Clients can read it.
---@param options weft.SessionOptions
function App:sessions(options) end

---Lets pages of other origins use the app.
---@param options weft.CorsOptions
function App:cors(options) end

---Answers 403 where a page of another site sends a request that is neither GET, HEAD nor OPTIONS.
---@param options? { origins?: string|string[]|fun(origin: string): boolean } which may all the same
function App:csrf(options) end

---Answers what is raised with what fn returns; nothing: as without it. res.status is what it would be.
---@param fn fun(err: any, req: weft.Request, res: weft.Response): any, any
function App:on_error(fn) end

---Answers requests without a route, and those whose handler returns 404 alone, with what fn returns.
---@param fn weft.Handler
function App:not_found(fn) end

---The HTML of a template of the folder `views`.
---@param name string "products/show" is views/products/show.html
---@param data? table what its expressions see
---@return string
function App:template(name, data) end

---Calls fn() before the first request of a worker. What it raises keeps the worker from starting.
---@param fn fun()
function App:on_start(fn) end

---Calls fn() after the last request of a worker.
---@param fn fun()
function App:on_stop(fn) end

---Runs what on_start was given; for who serves the app.
function App:start() end

---Runs what on_stop was given, the last one first; for who serves the app.
function App:stop() end

---Answers one request; for who serves the app. Never raises.
---@param exchange table
---@return string? route the path of the route that answered, as it was written
function App:dispatch(exchange) end

---Answers a request in this process: what specs are written with.
---
---    assert(app:test({ method = "POST", path = "/products", json = { title = "Lamp" } }).status == 201)
---@param given weft.TestRequest|string a path, or a table
---@return weft.TestResponse
function App:test(given) end

---@class weft.TestRequest
---@field method? string GET
---@field path? string with a query: "/products?page=2"
---@field query? table<string, string|string[]>
---@field headers? table<string, string>
---@field cookies? table<string, string>
---@field body? string
---@field json? any a body of JSON
---@field form? table<string, any> a body as forms send it: texts, files as { name =, type =, data = }, lists of them
---@field id? string
---@field remote? string
---@field scheme? string
---@field left? weft.Seconds until the deadline

---@class weft.TestResponse
---@field status integer
---@field headers table<string, string> names in lower case; several lines of one name are joined by ", "
---@field cookies table<string, string> what was set
---@field body string
---@field json any of a body that is JSON

---A request. Middleware may set further fields.
---@class weft.Request
---@field method string
---@field path string decoded
---@field target string as it was sent
---@field params table<string, string> of the route
---@field query table<string, string|string[]> a name that comes several times has a list; raises type (400) when it is broken
---@field headers table<string, string> names in any case
---@field cookies table<string, string>
---@field body string
---@field id string
---@field trace_id? string of W3C Trace Context: the one that came, or that begins here; nil when there is none
---@field remote string the client's address
---@field scheme "http"|"https"
---@field host string
---@field deadline? weft.Seconds that are left
---@field route? string the path of its route as it was written
---@field session? table with app:sessions
---@field app weft.App that answers
local Request = {}

---The value of one header, nil when it did not come.
---@param name string in any case
---@return string?
function Request:header(name) end

---The body, a JSON object or array. Raises type, which is answered with 400 (415 for another content type).
---@param names? string[] the fields that an object may have; another one raises type, too
---@return table
function Request:json(names) end

---A text of the route's parameters or the query. Raises kind "type" (400) for a name that came several times, a text that
---is too long, or, without a default, none.
---@param name string
---@param default? string|false false: nil
---@param most? integer bytes
---@return string?
function Request:text(name, default, most) end

---A whole number of the route's parameters or the query. Raises type (400) for one that is none, is out of range, or,
---without a default, did not come.
---@param name string
---@param default? integer
---@param least? integer
---@param most? integer
---@return integer
function Request:integer(name, default, least, most) end

---The fields of a form, urlencoded or multipart. Raises type, which is answered with 400 (415 for another content type).
---@return table<string, string|weft.File|(string|weft.File)[]>
function Request:form() end

---Whether the client would rather have this type of content than JSON.
---@param kind string "text/html"
---@return boolean
function Request:prefers(kind) end

---A file of a form.
---@class weft.File
---@field name string without folders
---@field type string as the client says
---@field data string

---Names in any case; a list for several lines. What could split a response raises usage.
---@class weft.Headers: { [string]: string|number|string[] }

---@class weft.Response
---@field status integer 200
---@field headers weft.Headers
local Response = {}

---Answers with plain text.
---@param text string
---@param code? integer status
---@return weft.Response
function Response:text(text, code) end

---Answers with HTML as it is.
---@param text string
---@param code? integer status
---@return weft.Response
function Response:html(text, code) end

---Answers with a value as JSON.
---@param value any what weft.encode takes, or a query
---@param code? integer status
---@return weft.Response
function Response:json(value, code) end

---Answers with a template of the app's folder `views`.
---@param name string "products/show" is views/products/show.html
---@param data? table
---@param code? integer status
---@return weft.Response
function Response:render(name, data, code) end

---Answers with a file of the disk: its type by its name, ETag, ranges; 404 when there is none.
---@param path string
---@return weft.Response
function Response:file(path) end

---Answers with a redirect to a path of this site, or to a whole http:// or https:// address; "//host" raises usage.
---@param target string
---@param code? integer 302; 303 behind a method that is neither GET nor HEAD
---@return weft.Response
function Response:redirect(target, code) end

---Sets a cookie; raises usage for what no browser would take. A max_age of 0 takes it away.
---@param name string
---@param value string
---@param options? weft.CookieOptions
function Response:cookie(name, value, options) end

---Sends a part of the body, waiting while the client is slow. Raises closed when it is gone.
---@param chunk string
function Response:write(chunk) end

---Sends a server-sent event.
---@param event { event?: string, data?: any, id?: string|integer, retry?: integer, comment?: string } data: text, else JSON; retry: milliseconds
function Response:event(event) end

---Calls fn(res) before the head leaves, the last moment to set a header; what was given last is called first.
---@param fn fun(res: weft.Response)
function Response:before_head(fn) end

---@class weft.CookieOptions
---@field path? string "/"
---@field domain? string
---@field max_age? integer seconds
---@field expires? integer seconds since 1970
---@field secure? boolean
---@field http_only? boolean
---@field same_site? "strict"|"lax"|"none"

---@class weft.SessionOptions
---@field secret string|string[] 32 bytes at least; of a list the first signs and all are accepted
---@field name? string of the cookie ("session")
---@field max_age? integer seconds (two weeks)
---@field same_site? "strict"|"lax"|"none" lax
---@field secure? boolean when the request came by https, unless given
---@field domain? string
---@field path? string "/"

---@class weft.CorsOptions
---@field origins "*"|string[]|fun(origin: string): boolean
---@field methods? string|string[] GET, HEAD, POST, PUT, PATCH, DELETE
---@field headers? string|string[] what the browser asks for, unless given
---@field expose? string|string[]
---@field credentials? boolean
---@field max_age? integer seconds for which browsers remember the answer
