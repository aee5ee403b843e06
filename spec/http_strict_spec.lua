-- SPDX-License-Identifier: MIT
-- What two readers of the same bytes could understand differently is refused, however it is cut into pieces.

local http = require "spec.support.http"

local get = "GET /hello HTTP/1.1\r\nHost: x\r\n"
local post = "POST /echo HTTP/1.1\r\nHost: x\r\n"
local chunked = post .. "Transfer-Encoding: chunked\r\n\r\n"
local last = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

-- Name, bytes, status. The connection ends after each of them.
local refused = {
  { "Content-Length beside Transfer-Encoding", post .. "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
  { "Transfer-Encoding beside Content-Length", post .. "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400 },
  { "two lengths", post .. "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400 },
  { "two equal lengths", post .. "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400 },
  { "a list of lengths", post .. "Content-Length: 5, 5\r\n\r\nhello", 400 },
  { "a length with a plus", post .. "Content-Length: +5\r\n\r\nhello", 400 },
  { "a negative length", post .. "Content-Length: -1\r\n\r\n", 400 },
  { "a hexadecimal length", post .. "Content-Length: 0x5\r\n\r\nhello", 400 },
  { "a length with a fraction", post .. "Content-Length: 5.0\r\n\r\nhello", 400 },
  { "a length in two words", post .. "Content-Length: 5 5\r\n\r\nhello", 400 },
  { "an empty length", post .. "Content-Length: \r\n\r\n", 400 },
  { "a length beyond 64 bits", post .. "Content-Length: 18446744073709551621\r\n\r\nhello", 400 },
  { "a length in other digits", post .. "Content-Length: \xd9\xa5\r\n\r\nhello", 400 },
  { "a large length", post .. "Content-Length: 1048577\r\n\r\n", 413 },
  { "an unknown transfer coding", post .. "Transfer-Encoding: gzip\r\n\r\n", 501 },
  { "two transfer codings", post .. "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501 },
  { "chunked that is not last", post .. "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", { 400, 501 } },
  { "chunked twice in a line", post .. "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", { 400, 501 } },
  { "chunked in two lines", post .. "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
  { "identity", post .. "Transfer-Encoding: identity\r\n\r\n", { 400, 501 } },
  { "something like chunked", post .. "Transfer-Encoding: xchunked\r\n\r\n", { 400, 501 } },
  { "chunked with a vertical tab", post .. "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400 },
  { "chunked with a parameter", post .. "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", { 400, 501 } },
  { "an empty transfer coding", post .. "Transfer-Encoding: \r\n\r\n", { 400, 501 } },
  { "chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
  { "a folded header", get .. "X-A: one\r\n two\r\n\r\n", 400 },
  { "a header folded by a tab", get .. "X-A: one\r\n\ttwo\r\n\r\n", 400 },
  { "a fold before the first header", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400 },
  { "a folded transfer coding", post .. "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400 },
  { "a line of spaces only", get .. " \r\n\r\n", 400 },
  { "no Host", "GET / HTTP/1.1\r\n\r\n", 400 },
  { "two Hosts", get .. "Host: y\r\n\r\n", 400 },
  { "two equal Hosts", get .. "Host: x\r\n\r\n", 400 },
  { "a Host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400 },
  { "a Host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400 },
  { "two Hosts in one", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400 },
  { "a Host that is no ASCII", "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", 400 },
  { "lines that end with LF", "GET /hello HTTP/1.1\nHost: x\n\n", 400 },
  { "one line that ends with LF", "GET /hello HTTP/1.1\r\nHost: x\nX-A: y\r\n\r\n", 400 },
  { "an end that is LF", get .. "\n", 400 },
  { "lines that end with CR", "GET /hello HTTP/1.1\rHost: x\r\r", 400 },
  { "CR in a value", get .. "X-A: a\rX-B: b\r\n\r\n", 400 },
  { "CR as a value", get .. "X-A:\rX-B: b\r\n\r\n", 400 },
  { "CR CR LF", get .. "X-A: a\r\r\n\r\n", 400 },
  { "NUL in a value", get .. "X-A: a\0b\r\n\r\n", 400 },
  { "NUL in a name", get .. "X-\0A: b\r\n\r\n", 400 },
  { "NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a control character in a value", get .. "X-A: a\x01b\r\n\r\n", 400 },
  { "DEL in a value", get .. "X-A: a\x7fb\r\n\r\n", 400 },
  { "a space before the colon", get .. "X-A : b\r\n\r\n", 400 },
  { "a tab before the colon", get .. "X-A\t: b\r\n\r\n", 400 },
  { "a space in a name", get .. "X A: b\r\n\r\n", 400 },
  { "a space before the colon of a length", post .. "Content-Length : 5\r\n\r\nhello", 400 },
  { "a name with a bracket", get .. "X[A]: b\r\n\r\n", 400 },
  { "a name that is no ASCII", get .. "X-\xc3\xa4: b\r\n\r\n", 400 },
  { "an empty name", get .. ": b\r\n\r\n", 400 },
  { "a header without a colon", get .. "nothing\r\n\r\n", 400 },
  { "a name that is quoted", get .. "\"X\": b\r\n\r\n", 400 },
  { "a method in small letters", "get / HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "an unknown method", "FROBNICATE / HTTP/1.1\r\nHost: x\r\n\r\n", 501 },
  { "CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", 501 },
  { "a method of another protocol", "SETUP / HTTP/1.1\r\nHost: x\r\n\r\n", { 400, 501 } },
  { "another protocol", "GET / RTSP/1.0\r\nHost: x\r\n\r\n", { 400, 505 } },
  { "a source of a radio", "SOURCE / ICE/1.0\r\nHost: x\r\n\r\n", { 400, 505 } },
  { "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", { 400, 505 } },
  { "HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505 },
  { "HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505 },
  { "HTTP/0.9", "GET /\r\n\r\n", 400 },
  { "a version of two digits", "GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400 },
  { "a version in small letters", "GET / http/1.1\r\nHost: x\r\n\r\n", 400 },
  { "two spaces behind the method", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "two spaces behind the target", "GET /  HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a space at the end of the line", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400 },
  { "a tab behind the method", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a space in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a space before the method", " GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "two empty lines in front", "\r\n\r\n" .. last, 400 },
  { "a target without a slash", "GET hello HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a target of another scheme", "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a target with a user", "GET http://a@b/ HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a target with no host", "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a target with a fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a target that is no ASCII", "GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a star for GET", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "an encoded NUL", "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a bad escape", "GET /a%2 HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "an escape that is not hexadecimal", "GET /a%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "invalid UTF-8", "GET /a%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "an overlong slash", "GET /a%c0%af HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "a surrogate", "GET /a%ed%a0%80 HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
  { "TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400 },
  { "a chunk size with a plus", chunked .. "+5\r\nhello\r\n0\r\n\r\n", 400 },
  { "a negative chunk size", chunked .. "-1\r\nhello\r\n0\r\n\r\n", 400 },
  { "a chunk size with 0x", chunked .. "0x5\r\nhello\r\n0\r\n\r\n", 400 },
  { "an empty chunk size", chunked .. "\r\nhello\r\n0\r\n\r\n", 400 },
  { "a chunk size in words", chunked .. "five\r\nhello\r\n0\r\n\r\n", 400 },
  { "a space before a chunk size", chunked .. " 5\r\nhello\r\n0\r\n\r\n", 400 },
  { "a space behind a chunk size", chunked .. "5 \r\nhello\r\n0\r\n\r\n", 400 },
  { "a tab behind a chunk size", chunked .. "5\t\r\nhello\r\n0\r\n\r\n", 400 },
  { "a chunk size beyond 64 bits", chunked .. "10000000000000005\r\nhello\r\n0\r\n\r\n", 400 },
  { "a huge chunk size", chunked .. "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", 413 },
  { "a chunk that is too large", chunked .. "100001\r\n", 413 },
  { "a chunk that is longer than it says", chunked .. "4\r\nhello\r\n0\r\n\r\n", 400 },
  { "a chunk that is shorter than it says", chunked .. "6\r\nhello\r\n0\r\n\r\n", 400 },
  { "LF behind a chunk size", chunked .. "5\nhello\r\n0\r\n\r\n", 400 },
  { "CR behind a chunk size", chunked .. "5\rhello\r\n0\r\n\r\n", 400 },
  { "LF behind a chunk", chunked .. "5\r\nhello\n0\r\n\r\n", 400 },
  { "LF behind the last chunk", chunked .. "5\r\nhello\r\n0\n\r\n", 400 },
  { "LF as the end of the trailers", chunked .. "0\r\n\n", 400 },
  { "LF behind a trailer", chunked .. "0\r\nX-A: b\n\r\n", 400 },
  { "CR in a trailer", chunked .. "0\r\nX-A: b\rX-B: c\r\n\r\n", 400 },
  { "NUL in a trailer", chunked .. "0\r\nX-A: b\0\r\n\r\n", 400 },
  { "a folded trailer", chunked .. "0\r\nX-A: b\r\n c\r\n\r\n", 400 },
  { "NUL in a chunk extension", chunked .. "5;a=\0\r\nhello\r\n0\r\n\r\n", 400 },
  { "LF in a chunk extension", chunked .. "5;a\n=b\r\nhello\r\n0\r\n\r\n", 400 },
  { "a space before a chunk extension", chunked .. "5 ;a=b\r\nhello\r\n0\r\n\r\n", 400 },
  { "a long chunk extension", chunked .. "5;a=" .. ("b"):rep(5000) .. "\r\nhello\r\n0\r\n\r\n", 400 },
  { "many chunk extensions", chunked .. ("1;abcdefgh\r\nx\r\n"):rep(1000) .. "0\r\n\r\n", 400 },
  { "many zeros before a chunk size", chunked .. ("0"):rep(5000) .. "5\r\nhello\r\n0\r\n\r\n", 400 },
  { "long trailers", chunked .. "0\r\n" .. ("X-A: b\r\n"):rep(2000) .. "\r\n", 400 },
  { "an unknown expectation", post .. "Expect: 200-ok\r\nContent-Length: 5\r\n\r\n", 417 },
  { "a large body that waits for a word", post .. "Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n", 413 },
}

-- Name, bytes, what the echo must say.
local accepted = {
  { "one empty line in front", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", '"path":"/"' },
  { "an empty value", get:gsub("hello", "") .. "X-List:\r\n\r\n", '"x-list":""' },
  { "spaces around a value", get:gsub("hello", "") .. "X-List: \t a b \t\r\n\r\n", '"x-list":"a b"' },
  { "several lines of one name", get:gsub("hello", "") .. "X-List: a\r\nx-list: b\r\nX-LIST: c\r\n\r\n", '"x-list":"a, b, c"' },
  { "several lines of cookies", get:gsub("hello", "") .. "Cookie: a=1\r\nCookie: b=2\r\n\r\n", '"cookie":"a=1; b=2"' },
  { "bytes above 127 in a value", get:gsub("hello", "") .. "X-List: \xc3\xa4\r\n\r\n", '"x-list":"\xc3\xa4"' },
  { "a colon in a value", get:gsub("hello", "") .. "X-List: a:b: c\r\n\r\n", '"x-list":"a:b: c"' },
  { "chunks", chunked .. "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", '"body":"hello world"' },
  { "chunk sizes in capitals, with zeros", chunked .. "00A\r\n0123456789\r\n000\r\n\r\n", '"body":"0123456789"' },
  { "line ends inside of chunks", chunked .. "4\r\n\r\n\r\n\r\n0\r\n\r\n", '"body":"\\r\\n\\r\\n"' },
  { "NUL inside of a body", chunked .. "1\r\n\0\r\n0\r\n\r\n", '"body":"\\u0000"' },
  { "trailers, which are dropped", chunked .. "1\r\na\r\n0\r\nHost: y\r\nX-List: z\r\n\r\n", '"x-list":null' },
  { "chunked in capitals", post .. "Transfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n", '"body":"a"' },
  { "no body at all", post .. "\r\n", '"body":""' },
  { "a body for GET", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", '"body":"hi"' },
  { "a length with zeros in front", post .. "Content-Length: 0002\r\n\r\nhi", '"body":"hi"' },
  { "an upgrade, which is passed over", get:gsub("hello", "") .. "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", '"path":"/"' },
  { "an upgrade to HTTP/2", get:gsub("hello", "") .. "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
    '"path":"/"' },
  { "OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", '"path":"*"' },
  { "a whole URL", "GET http://y:81/a?b HTTP/1.1\r\nHost: x\r\n\r\n", '"path":"/a","query":"b","host":"y:81"' },
  { "a whole URL without a path", "GET http://y?b HTTP/1.1\r\nHost: x\r\n\r\n", '"path":"/","query":"b","host":"y"' },
  { "an empty query", "GET /? HTTP/1.1\r\nHost: x\r\n\r\n", '"query":""' },
  { "two question marks", "GET /?a?b HTTP/1.1\r\nHost: x\r\n\r\n", '"query":"a?b"' },
  { "an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", '"host":""' },
  { "a Host that is an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", '"host":"[::1]:80"' },
  { "../ above the root", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", '"path":"/etc/passwd"' },
  { "encoded ../", "GET /a/%2e%2E/%2e./b HTTP/1.1\r\nHost: x\r\n\r\n", '"path":"/b"' },
  { "an encoded slash", "GET /a%2f..%2Fb HTTP/1.1\r\nHost: x\r\n\r\n", '"path":"/a%2F..%2Fb"' },
  { "two slashes", "GET //a//b HTTP/1.1\r\nHost: x\r\n\r\n", '"path":"//a//b"' },
  { "another method", "PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n", '"method":"PROPFIND"' },
}

local function includes(list, value)
  for _, each in ipairs(type(list) == "table" and list or { list }) do
    if each == value then return true end
  end
  return false
end

describe("an HTTP request", function()
  local server

  setup(function() server = http.serve() end)
  teardown(function() server.close() end)

  local function say(bytes, how)
    local talk = http.talk(server.address)
    talk[how](bytes)
    local text, ended = talk.read()
    talk.close()
    return text, ended
  end

  for _, row in ipairs(refused) do
    local name, bytes, status = table.unpack(row)
    it(("with %s is refused, and the connection ends"):format(name), function()
      for _, how in ipairs(#bytes < 3000 and { "send", "each" } or { "send" }) do
        local text, ended = say(bytes .. last, how) -- what follows is never taken for a request
        local statuses = http.statuses(text)
        assert.equal(1, #statuses, how .. ": " .. text)
        assert.truthy(includes(status, statuses[1]), how .. ": " .. text)
        assert.truthy(text:find "\r\nConnection: close\r\n")
        assert.truthy(text:find '{"error":{"kind":"%l+","message":"[^"]+","request_id":"%x+"}}$')
        assert.equal("eof", ended)
      end
    end)
  end

  for _, row in ipairs(accepted) do
    local name, bytes, part = table.unpack(row)
    it(("with %s is accepted, and the next one, too"):format(name), function()
      for _, how in ipairs { "send", "each" } do
        local text, ended = say(bytes .. last, how)
        assert.same({ 200, 200 }, http.statuses(text), text)
        assert.truthy(text:find(part, 1, true), text)
        assert.equal("eof", ended)
      end
    end)
  end
end)
