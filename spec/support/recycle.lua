-- SPDX-License-Identifier: MIT
-- Empty PostgreSQL databases for facts. To create one means some 300 new files, which takes longer than
-- most spec files; so a database that is no longer used is emptied and handed out again, also to later
-- spec files of the run. What cannot be emptied is left behind and goes away with the server.

local shell = require "spec.support.shell"

local recycle = {}

local empty = [[
set lock_timeout = '2s';
set client_min_messages = error;
select count(pg_terminate_backend(pid, 2000)) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid();
do $$
declare r record;
begin
  for r in select pubname from pg_publication loop execute format('drop publication %I', r.pubname); end loop;
  for r in select evtname from pg_event_trigger loop
    execute format('drop event trigger %I cascade', r.evtname);
  end loop;
  for r in select extname from pg_extension where extname <> 'plpgsql' loop
    execute format('drop extension if exists %I cascade', r.extname);
  end loop;
  for r in select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' loop
    execute format('drop schema %I cascade', r.nspname);
  end loop;
  perform lo_unlink(oid) from pg_largeobject_metadata;
  execute format('alter database %I reset all', current_database());
end $$;
create schema public;
grant usage on schema public to public;
]]

-- What this process may take again without asking; by server.
local own = {}

---A free database of a spec file that is through is a file here; who removes it has it.
local function folder(pg) return pg.folder .. "/free" end

local function claim(pg)
  for name in shell.must("mkdir -p " .. shell.quote(folder(pg)) .. " && ls " .. shell.quote(folder(pg))):gmatch("[^\n]+") do
    if os.remove(folder(pg) .. "/" .. name) then return name end
  end
end

---Takes a database that is empty.
function recycle.take(pg)
  own[pg] = own[pg] or {}
  local name = table.remove(own[pg]) or claim(pg)
  if not name then return pg.create_database() end
  return pcall(pg.psql, empty, name) and name or recycle.take(pg)
end

---Gives back what was taken; it may still be in use by connections, which its next user cuts.
function recycle.give(pg, name) table.insert(own[pg], name) end

---This process is through: what it was given is free for others.
function recycle.share()
  for pg, names in pairs(own) do
    for _, name in ipairs(names) do shell.write(folder(pg) .. "/" .. name, "") end
  end
  own = {}
end

return recycle
