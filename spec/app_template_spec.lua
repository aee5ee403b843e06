-- SPDX-License-Identifier: MIT
-- Templates: what is put in stays text wherever it stands; where no escaping would do it is refused.

local weft = require "weft"
local html = require "weft.app.html"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

local function render(text, data) return weft.template(text)(data) end

describe("an expression", function()
  it("is escaped in text and in quotes", function()
    local x = "<script>alert('x')</script>\"`&amp;\0"
    local want = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&#96;&amp;amp;\u{FFFD}"
    for _, around in ipairs { { "", "" }, { "<p>", "</p>" }, { '<p title="', '">' }, { "<p title='", "'>" }, { "<textarea>",
      "</textarea>" },
      { "<title>", "</title>" }, { '<p data-x="a ', ' b">' }, { "<!-- x --> ", "" }, { "<script>var a = '<p>'</script>",
        "" }, { "a < b ", "" },
      { '<p title="a>b">', "</p>" }, { "<p a=b c>", "" }, { "<P CLASS=\"", "\">" }, { "<br/>", "" }, { "<style>a{}</style>",
        "" }, { "</p>", "" },
      { "<SCRIPT>x</Script >", "" }, { "<p\na\n=\n\"", "\">" }, { "<textarea><p title=x ", "</textarea>" } } do
      assert.equal(around[1] .. want .. around[2], render(around[1] .. "{{ x }}" .. around[2], { x = x }))
    end
  end)

  it("is refused where it would be read as code, or could end what it stands in", function()
    for text, words in pairs {
      ["<p title={{ x }}>"] = "quotes", ["<p title= {{ x }}>"] = "quotes", ["<p title=a{{ x }}>"] = "quotes",
        ["<p {{ x }}>"] = "attribute",
      ["<p {{ x }}=\"a\">"] = "attribute", ["<p a{{ x }}>"] = "attribute", ["<{{ x }}>"] = "name of a tag",
        ["</{{ x }}>"] = "name of a tag", ["<p><{{ x }}"] = "name of a tag",
      ["<p title=\"\"><{{ x }} a=b>"] = "name of a tag", ["<!{{ x }}"] = "name of a tag", ["<!-{{ x }}"] = "name of a tag",
      ["<{% if x then %}{{ x }}{% end %}"] = "name of a tag", ["<{% if x then %}p{% end %} {{ x }}>"] = "attribute",
      ["<{{{ x }}} title={{ x }}>"] = "quotes", ["<a href=\"javascript:{{ x }}\">"] = "scheme",
        ["<a href=' Java\tScript:f({{ x }})'>"] = "scheme",
        ["<p a=\"b\"{{ x }}>"] = "attribute",
      ["<script>{{ x }}</script>"] = "json", ["<script>'{{ x }}'</script>"] = "json", ["<SCRIPT >a</b>{{ x }}"] = "json",
      ["<style>{{ x }}</style>"] = "<style>", ["<!-- {{ x }} -->"] = "comment", ["<p onclick=\"{{ x }}\">"] = "onclick",
        ["<p ONLOAD='{{ x }}'>"] = "onload",
      ["<p style=\"color: {{ x }}\">"] = "style", ["<iframe srcdoc=\"{{ x }}\">"] = "srcdoc", ["<xmp>{{ x }}</xmp>"] = "<xmp>",
      ["<script></scripty>{{ x }}</script>"] = "json",
    } do
      raises("usage", function() weft.template("\n\n" .. text) end, words, "template:3:")
    end
  end)

  it("that is a link leads nowhere that could run something", function()
    for _, x in ipairs { "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)",
      "\1javascript:x", "data:text/html,x",
      "vbscript:x", "\tjavascript\t:x", "blob:x", "x y:z" } do
      for _, name in ipairs { "href", "src", "action", "formaction", "xlink:href", "HREF" } do
        assert.equal(("<a %s=\"about:invalid\">"):format(name), render(("<a %s=\"{{ x }}\">"):format(name), { x = x }))
      end
    end
    for x, want in pairs { ["/a?b=c&d"] = "/a?b=c&amp;d", ["https://x/y"] = "https://x/y", ["mailto:a@b"] = "mailto:a@b",
      ["a/b:c"] = "a/b:c", ["#a:b"] = "#a:b" } do
      assert.equal("<a href='" .. want .. "'>", render("<a href='{{ x }}'>", { x = x }))
    end
    assert.equal('<a href="/go/javascript:x">', render('<a href="/go/{{ x }}">', { x = "javascript:x" }))
    assert.equal("<img src='10:30'>", render("<img src='{{ x }}'>", { x = "10:30" }))
    assert.equal('<a href="about:invalid">', render('<a href="{{ nothing }}{{ x }}">', { x = "javascript:x" }))
  end)

  it("is nothing for nil and NULL, a decimal's digits, and never a table", function()
    assert.equal("||1.10|1|true", render("{{ a }}|{{ null }}|{{ d }}|{{ 1 }}|{{ true }}", { d = weft.decimal "1.10" }))
    for _, x in ipairs { {}, print } do
      local ok, err = pcall(render, "\n{{ x }}", { x = x })
      assert.falsy(ok)
      assert.truthy(tostring(err):find("template:2: a " .. type(x) .. " has no text", 1, true), tostring(err))
    end
  end)

  it("makes UTF-8 of what is none", function()
    assert.equal("a\u{FFFD}b\u{FFFD}\u{FFFD}ü", render("{{ x }}", { x = "a\xffb\xc3\xe2ü" }))
    assert.equal("\u{2028}&lt;", render("{{ x }}", { x = "\u{2028}<" }))
  end)

  it("cannot be left by what it says", function()
    math.randomseed(23)
    local pieces = { "<", ">", '"', "'", "&", "`", "\0", "\xff", "\xc3", "a", " ", "=", "/", "javascript:", "-->",
      "</script>", "{{", "}}", "{%", "\u{2028}", "\n" }
    for _ = 1, 3000 do
      local out = {}
      for i = 1, math.random(0, 10) do out[i] = pieces[math.random(#pieces)] end
      local got = render('<a href="{{ x }}" title=\'{{ x }}\'>{{ x }}</a>', { x = table.concat(out) })
      local href, title, text = got:match "^<a href=\"([^\"<>]*)\" title='([^'<>]*)'>([^<>]*)</a>$"
      assert.is_string(href, got)
      assert.falsy(href:lower():find "^[%c ]*javascript:")
      assert.is_truthy(utf8.len(got) and not (title .. text):find "%z")
      for entity in got:gmatch "&[^;]*;?" do assert.truthy(entity:find "^&[#%w]+;$", entity) end
    end
  end)
end)

describe("raw HTML", function()
  it("stands as it is where it is said, and keeps its quotes to itself", function()
    assert.equal("<b>&amp;<b>", render("{{{ x }}}{{ raw(x) }}", { x = "<b>" }):gsub("^<b>", "<b>&amp;"))
    assert.equal('<p title="&lt;b&gt;&quot;&amp;">', render('<p title="{{ raw(x) }}">', { x = '<b>"&amp;' }))
    assert.equal("", render("{{{ x }}}{{ raw(x) }}"))
    assert.equal("<b>", render("{{ raw(raw(x)) }}", { x = "<b>" }))
  end)

  it("of JSON is safe in a script", function()
    local x = { "</script><script>alert(1)</script>", "\u{2028}\u{2029}", "<!--", "&" }
    local got = render("<script>var x = {{{ json(x) }}};</script>", { x = x })
    local text = got:match "^<script>var x = (.*);</script>$"
    assert.falsy(text:find "[<>&]")
    assert.falsy(text:find("\u{2028}", 1, true))
    assert.same(x, weft.decode(text))
    assert.equal('<p data-x="{&quot;a&quot;:1}">', render('<p data-x="{{ json(x) }}">', { x = { a = 1 } }))
    assert.equal("a\u{FFFD}", html.valid "a\xff")
  end)
end)

describe("Lua in a template", function()
  it("repeats, chooses, and takes lines of its own away", function()
    assert.equal("<ul>\n  <li>1</li>\n  <li>2</li>\n</ul>\n", render([[
<ul>
{% for _, n in ipairs(list) do %}
  <li>{{ n }}</li>
{% end -- of the list %}
</ul>
]], { list = { 1, 2 } }))
    assert.equal("a yes b", render("a {% if x then %}yes{% else %}no{% end %} b", { x = true }))
    assert.equal("x\ny", render("x{# not said\n\n #}\ny"))
    assert.equal("y", render("{# a\nb #}\ny"))
    assert.equal("a <b> < c", render("a <{% if x then %}b{% end %}> < {{ y }}", { x = true, y = "c" }))
    assert.equal("3", render("{% local n = 1\nlocal out = 2 %}{{ n + out }}"))
    assert.equal("a--b", render '{% local s = "a--b" %}{{ s }}')
    assert.equal("{{ x }}", render '{{ "{{ x " }}{{ "}" }}}')
    assert.equal("a\r\n\\\"\0b", render "a\r\n\\\"\0b")
    assert.equal("", render "")
  end)

  it("sees the data and what templates need, nothing else", function()
    assert.equal("truetruetruetruetruetruetruetrue", render [[
{% for _, x in ipairs { os == nil, io == nil, require == nil, load == nil, debug == nil, _G == nil, getmetatable == nil,
  setmetatable == nil } do %}{{ x }}{% end %}]])
    assert.equal("ABC", render("{{ name:upper() }}", { name = "abc" }))
    assert.equal("fine", render("{{ raw 'fine' }}", { raw = "not this one" }))
    local data = { a = 1 }
    assert.equal("2", render("{% a = 2 %}{{ a }}", data))
    assert.same({ a = 1 }, data)
  end)

  it("that is broken names file and line", function()
    for text, words in pairs {
      ["\n\n{{ x y }}"] = "template:3:", ["\n{% if x %}"] = "template:2:", ["{% for %}"] = "template:1:",
        ["\n{{ x"] = "template:2: '{{' has no '}}'",
      ["\n\n{% x"] = "template:3: '{%' has no '%}'", ["{# x"] = "has no '#}'", ["a\n{{{ x }}"] = "has no '}}}'",
        ["{{ }}"] = "template:1:",
      ["{{ a) .. (b }}"] = "template:1:", ["{% if x then %}"] = "template:", ["<p title=\"a"] = "inside of a tag",
        ["<script>"] = "inside of a tag",
      ["<!-- a"] = "inside of a tag", ["{{ return }}"] = "template:1:",
    } do
      raises("usage", function() weft.template(text) end, words)
    end
    local ok, err = pcall(render, "a\nb\n{{ x.y.z }}\n", {})
    assert.falsy(ok)
    assert.truthy(tostring(err):find("^template:3: attempt to index a nil value"), tostring(err))
    raises("usage", function() weft.template() end)
    raises("usage", function() weft.template "x" "data" end, "table of data")
  end)
end)

describe("a folder of templates", function()
  local folder, app

  local function write(name, text)
    local path = folder .. "/views/" .. name .. ".html"
    shell.must("mkdir -p " .. shell.quote(path:match "^(.*)/"))
    shell.write(path, text)
  end

  before_each(function()
    folder = shell.must("mktemp -d"):gsub("%s+$", "")
    app = weft.app { views = folder .. "/views" }
    write("layouts/main", "<html><title>{{ title }}</title>{{ content }}</html>")
    write("item", "<li>{{ x }}</li>")
    write("list", "{% layout 'layouts/main' %}{% for _, x in ipairs(list) do %}{{ include('item', { x = x }) }}{% end %}")
  end)
  after_each(function() shell.must("rm -rf " .. shell.quote(folder)) end)

  it("includes others, in a layout", function()
    app:get("/", function(_, res) return res:render("list", { title = "<t>", list = { "<a>", "b" }, content = "<!>" }, 201) end)
    local got = app:test "/"
    assert.same({ 201, "text/html; charset=utf-8" }, { got.status, got.headers["content-type"] })
    assert.equal("<html><title>&lt;t&gt;</title><li>&lt;a&gt;</li><li>b</li></html>", got.body)
    assert.equal("<li>1</li>", app:template("item", { x = 1 }))
  end)

  it("is read once, and anew when a file has changed in development", function()
    assert.equal("<li></li>", app:template "item")
    write("item", "changed")
    assert.equal("<li></li>", app:template "item")
    app.dev = true
    assert.equal("changed", app:template "item")
  end)

  it("names its files in errors, and no file outside", function()
    write("broken", "\n{{ x y }}")
    write("fails", "\n\n{{ include('inner') }}")
    write("inner", "\n{{ x.y }}")
    write("self", "{{ include('self') }}")
    write("../secret", "secret")
    raises("usage", function() app:template "broken" end, "views/broken.html:2:")
    local ok, err = pcall(app.template, app, "fails")
    assert.truthy(not ok and tostring(err):find("views/inner.html:2: attempt to index", 1, true))
    raises("usage", function() app:template "self" end, "includes itself")
    raises("usage", function() app:template "none" end, "no template 'none'")
    for _, name in ipairs { "../secret", "/etc/passwd", "a/../../secret", "", ".", "..", "a//b", "item\0", "./item",
      "item.html/../x", "a b", "\\..\\secret" } do
      raises("usage", function() app:template(name) end)
    end
    raises("usage", function() app:template(7) end)
    raises("usage", function() app:template("item", "x") end, "table of data")
  end)
end)

describe("a browser", function()
  local run = "document.documentElement.setAttribute('data-ran','yes')"
  local payloads = {
    "<script>RUN</script>", "</title><script>RUN</script>", "</textarea><script>RUN</script>", "\"><img src=x onerror=RUN>",
      "'><img src=x onerror=RUN>",
    "\" onfocus=RUN autofocus x=\"", "' onfocus=RUN autofocus x='", "` onfocus=RUN autofocus `", "--><script>RUN</script>",
      "javascript:RUN",
    "<svg onload=RUN>", "</script><script>RUN</script>", "\u{2028}RUN", "\\\"-RUN-\\\"", "{{RUN}}",
      "<\0script>RUN</script>", "\xc3\"><img src=x onerror=RUN>",
    "data:text/html,<script>parent.RUN</script>", " java\nscript:RUN", "&quot; onfocus=RUN autofocus",
      "<img src=x onerror\n=RUN>", "</style><script>RUN</script>",
  }
  local places = [[
<p>{{ x }}</p><p title="{{ x }}" tabindex="0">a</p><p title='{{ x }}' tabindex="0">a</p><input value="{{ x }}" autofocus><title>{{ x }}</title>
<textarea>{{ x }}</textarea><a href="{{ x }}">a</a><iframe src="{{ x }}"></iframe><img src="{{ x }}"><form action="{{ x }}"></form>
<div data-x="{{ json(y) }}"></div><script>var x = {{{ json(y) }}};</script>
<script type="application/json">{{{ json({ y, { [y] = y } }) }}}</script>
<svg><a xlink:href="{{ x }}"><text>{{ x }}</text></a></svg>
]]

  local function dom_of(text)
    local folder = shell.must("mktemp -d"):gsub("%s+$", "")
    finally(function() shell.run("rm -rf " .. shell.quote(folder)) end)
    shell.write(folder .. "/page.html", text)
    local browser = "timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --virtual-time-budget=2000"
    return shell.must(("HOME=%s %s --dump-dom file://%s/page.html 2>/dev/null"):format(shell.quote(folder), browser, folder))
  end
  local last = "<script>document.querySelectorAll('a').forEach(a => /^(javascript|data):/.test(a.href) && a.click()); "
    .. "document.documentElement.setAttribute('data-done', 'yes')</script>"

  it("runs nothing of what was put in, wherever", function()
    local out = { "<!doctype html><meta charset=utf-8>" }
    local render_places = weft.template(places)
    for _, payload in ipairs(payloads) do
      local x = payload:gsub("RUN", function() return run end)
      out[#out + 1] = render_places { x = x, y = html.valid(x) }
    end
    local dom = dom_of(table.concat(out) .. last)
    assert.truthy(dom:find('data-done="yes"', 1, true), dom:sub(1, 300))
    assert.falsy(dom:find('data-ran="yes"', 1, true))
  end)

  it("would have run what is put in raw", function()
    local dom = dom_of("<!doctype html>" .. weft.template "<p>{{{ x }}}</p>" { x = "<script>" .. run .. "</script>" })
    assert.truthy(dom:find('data-ran="yes"', 1, true))
  end)
end)
