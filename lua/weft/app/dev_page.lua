-- SPDX-License-Identifier: MIT
-- The page /_weft. All that is known when it is asked for stands in it; its script adds what happens later.

local template = require "weft.app.template"

local style = [[
:root { --line: #ccc; --soft: #f4f4f6; --text: #222; --back: #fff; --hot: #b3261e; --link: #1a56b0 }
@media (prefers-color-scheme: dark) {
  :root { --line: #444; --soft: #25262a; --text: #ddd; --back: #17181b; --hot: #ff8a80; --link: #8ab4f8 }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 90rem; padding: 0 1.5rem 4rem; color: var(--text);
  background: var(--back) }
nav { position: sticky; top: 0; background: var(--back); padding: .75rem 0; border-bottom: 1px solid var(--line) }
nav a { margin-right: 1.25rem } a { color: var(--link) } h1 { font-size: 1.3rem; display: inline; margin-right: 2rem }
h2 { font-size: 1.1rem; margin-top: 2rem } h3 { font-size: 1rem }
table { border-collapse: collapse; width: 100% } .scroll { overflow-x: auto; max-height: 26rem; overflow-y: auto }
th, td { text-align: left; padding: .2rem .75rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap }
td.sql { white-space: normal; overflow-wrap: anywhere; font-family: ui-monospace, monospace; font-size: .85em }
td.sql code { display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden }
td.sql:hover code { display: block }
th { position: sticky; top: 0; background: var(--back) } td.number, th.number { text-align: right }
.hot { color: var(--hot); font-weight: 600 } .none { opacity: .6 } button { font: inherit; font-size: .85em; cursor: pointer }
pre { background: var(--soft); padding: .75rem; margin: .25rem 0; white-space: pre-wrap }
svg { font: 12px ui-monospace, monospace; background: var(--soft); max-width: 100%; height: auto } svg text { fill: var(--text) }
svg rect { fill: var(--back); stroke: var(--line) } svg path { fill: none; stroke: var(--link); stroke-width: 1.3 }
svg .name { font-weight: 700 }
svg .key { text-decoration: underline }
]]

local script = [[
"use strict";
const cells = {
  request: e => [e.method, e.path, e.route || "", e.status, ms(e.seconds), e.statements, ms(e.database_seconds), e.message || ""],
  statement: e => [e.database, e.sql, e.rows ?? "", ms(e.seconds), e.failed || (e.slow ? "slow" : ""), explain(e)],
  repeated: e => [e.route, e.database, e.sql, e.count],
};
const numbers = { request: [3, 4, 5, 6], statement: [2, 3], repeated: [3] }, sql = { request: 7, statement: 1, repeated: 2 };
function ms(seconds) { return (seconds * 1000).toFixed(1) + " ms"; }
function code(text) {
  const element = document.createElement("code");
  element.textContent = text;
  return element;
}
function explain(e) {
  const button = document.createElement("button");
  button.textContent = "explain";
  button.dataset.explain = e.number;
  return button;
}
function isHot(e) { return e.status >= 500 || e.failed || e.slow || e.kind === "repeated"; }
function add(e) {
  const body = document.getElementById(e.kind), row = document.createElement("tr");
  if (!body) return;
  cells[e.kind](e).forEach((value, i) => {
    const cell = document.createElement("td");
    if (numbers[e.kind].includes(i)) cell.className = "number";
    if (sql[e.kind] === i) cell.className = "sql";
    cell.append(sql[e.kind] === i ? code(value) : value);
    row.append(cell);
  });
  if (isHot(e)) row.className = "hot";
  body.prepend(row);
  while (body.rows.length > 200) body.lastElementChild.remove();
}
document.addEventListener("click", async event => {
  const number = event.target.dataset.explain;
  if (!number) return;
  const cell = event.target.closest("tr").querySelector(".sql"), old = cell.querySelector("pre");
  if (old) return old.remove();
  const answer = await fetch("/_weft/explain/" + number), pre = document.createElement("pre");
  pre.textContent = await answer.text();
  cell.append(pre);
});
const entries = JSON.parse(document.getElementById("entries").textContent);
entries.forEach(add);
const after = entries.length ? entries[entries.length - 1].number : 0;
const source = new EventSource("/_weft/events?after=" + after);
source.addEventListener("entry", event => add(JSON.parse(event.data)));
source.addEventListener("pools", event => {
  for (const pool of JSON.parse(event.data))
    for (const [name, value] of Object.entries(pool.stats)) {
      const cell = document.getElementById("pool-" + pool.name + "-" + name);
      if (cell) cell.textContent = value;
    }
});
document.documentElement.dataset.ready = "yes";
]]

local page = template.template([[
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Weft</title>
<style>]] .. style .. [[</style>
</head>
<body>
<nav><h1>Weft</h1> <a href="#requests">Requests</a> <a href="#statements">Statements</a> <a href="#repetition">Repeated</a>
<a href="#routes">Routes</a> <a href="#pools">Pools</a> <a href="#models">Models</a></nav>

<h2 id="requests">Requests</h2>
<div class="scroll"><table>
<thead><tr><th>Method<th>Path<th>Route<th class="number">Status<th class="number">Time<th class="number">Statements<th class="number">In
databases<th>Failed with</tr></thead>
<tbody id="request"></tbody>
</table></div>

<h2 id="statements">Statements</h2>
<div class="scroll"><table>
<thead><tr><th>Database<th>SQL<th class="number">Rows<th class="number">Time<th><th></tr></thead>
<tbody id="statement"></tbody>
</table></div>

<h2 id="repetition">Repeated in one request</h2>
<p>The same statement many times in one request is what <code>include</code> would do at once.</p>
<div class="scroll"><table>
<thead><tr><th>Route<th>Database<th>SQL<th class="number">Times</tr></thead>
<tbody id="repeated"></tbody>
</table></div>

<h2 id="routes">Routes</h2>
<div class="scroll"><table>
<thead><tr><th>Method<th>Path<th>Defined at</tr></thead>
<tbody>
{% for _, route in ipairs(routes) do %}
<tr><td>{{ route.method }}</td><td>{{ route.path }}</td><td>{{ route.place }}</td></tr>
{% end %}
</tbody>
</table></div>

<h2 id="pools">Pools</h2>
<div class="scroll"><table>
<thead><tr><th>Database{% for _, name in ipairs(figures) do %}<th class="number">{{ name }}{% end %}</tr></thead>
<tbody>
{% for _, pool in ipairs(pools) do %}
<tr><td>{{ pool.name }}</td>
{% for _, name in ipairs(figures) do %}
<td class="number" id="pool-{{ pool.name }}-{{ name }}">{{ pool.stats[name] }}</td>
{% end %}
</tr>
{% end %}
</tbody>
</table></div>

<h2 id="models">Models</h2>
{% for _, database in ipairs(databases) do %}
<h3>{{ database.name }}</h3>
{% if database.failed then %}
<p class="hot">{{ database.failed }}</p>
{% else %}
{% local d = database.drawing %}
<svg viewBox="-10 -10 {{ d.width }} {{ d.height }}" width="{{ d.width }}" role="img">
{% for _, line in ipairs(d.lines) do %}
<path d="{{ line.path }}"><title>{{ line.text }}</title></path>
{% end %}
{% for _, box in ipairs(d.boxes) do %}
<g transform="translate({{ box.x }} {{ box.y }})"><rect width="{{ box.width }}" height="{{ box.height }}" rx="4"/>
<text class="name" x="10" y="17">{{ box.title }}<title>{{ box.name }}</title></text>
{% for _, column in ipairs(box.columns) do %}
<text x="10" y="{{ column.y }}"><tspan class="{{ column.key and "key" or "column" }}">{{ column.name }}</tspan>  {{ column.type }}</text>
{% end %}
</g>
{% end %}
</svg>
<div class="scroll"><table>
{% for _, entry in ipairs(database.associations) do %}
<tr><td>{{ entry.model }}</td><td>{{ entry.name }}</td><td>{{ entry.type }}</td><td>{{ entry.to }}</td></tr>
{% end %}
</table></div>
{% end %}
{% end %}
<script type="application/json" id="entries">{{{ json(entries) }}}</script>
<script nonce="{{ nonce }}">
]] .. script .. [[</script>
</body>
</html>
]])

return page
