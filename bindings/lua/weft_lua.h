/* SPDX-License-Identifier: MIT */
/* What the files of the Lua module share. Core types stay behind core's headers; no database header is
   ever included here.

   One struct weft_lua per Lua state, found as upvalue 1 of every function of the module. Each function:
   check, call, push. A C function that may wait ends with weft_lua_wait: at top level that pumps the
   loop, inside a task it yields and the continuation goes on. */
#ifndef WEFT_LUA_H
#define WEFT_LUA_H

#include <lauxlib.h>
#include <lua.h>

#include "db.h"
#include "decimal.h"
#include "fetch.h"
#include "json.h"

struct task;
struct frame;
struct lua_query;

enum { DECIMALS = 256, MAX_LEVELS = 64 };

/* Where long-lived Lua values are: each has a reference of its own in the registry. */
enum weft_lua_slot {
  SLOT_MT_ERROR = 1, /* metatables */
  SLOT_MT_NULL,
  SLOT_MT_DECIMAL,
  SLOT_MT_ARRAY,
  SLOT_MT_JSON,
  SLOT_MT_RAW,
  SLOT_MT_PATH,
  SLOT_MT_CONDITION,
  SLOT_MT_AGGREGATE,
  SLOT_MT_PLUS,      /* of core.plus: a column and so much more, for updates */
  SLOT_MT_RESULT,
  SLOT_MT_SINGLE,    /* of results that hold their only row themselves: no finalizer */
  SLOT_MT_DB,
  SLOT_MT_TX,
  SLOT_MT_TASK,
  SLOT_MT_LEVEL,
  SLOT_MT_FETCH,
  SLOT_MT_PIECES,
  SLOT_MT_ASSOCIATION,
  SLOT_NULL,         /* weft.null */
  SLOT_ROW_METHODS,  /* save update delete reload changed */
  SLOT_SHAPES,       /* lightuserdata of weft_columns -> keys table */
  SLOT_TASKS,        /* the handles of live tasks by task.number */
  SLOT_IDLE,         /* finished coroutines to use again */
  SLOT_PARKED,       /* coroutines that nobody else resumes or closes (weak keys): those of tasks, and
                        those of the user that a wait of Weft has suspended */
  SLOT_EVENTS,       /* function called with (event, info), or nil */
  SLOT_ROW_INDEX,    /* the shared __index of rows */
  SLOT_ROW_PAIRS,
  SLOT_KEY_INDEX,    /* "__index" */
  SLOT_KEY_PAIRS,    /* "__pairs" */
  SLOT_DECIMALS,     /* decimals met lately, by hash */
  SLOT_ASSOCIATION,  /* function(row, model info, key, strict, absent) of lua/weft */
  SLOT_WIRED,        /* function(model info, name) of lua/weft: a wired association, or nil */
  SLOT_UNKNOWN,      /* function(model info, name) of lua/weft: raises when no such association can be */
  SLOT_PREPARE,      /* function(query) of lua/weft: names looked up, includes compiled */
  SLOT_EVENT_THREAD, /* where event handlers run */
  SLOT_WEAK,         /* metatable of weak tables */
  SLOT_STOPPED,      /* where the last task that was overdue had come to, as text */
  SLOT_COUNT
};

/* In the registry: a light userdata, the uv_loop_t on which weft.core is to run, when it is an embedder's. */
#define WEFT_LUA_UV_LOOP "weft.uv_loop"

struct weft_lua {
  lua_State *main;
  lua_State *handlers; /* where event handlers run; anchored in SLOT_EVENT_THREAD */
  struct weft_context *context;
  struct weft_loop *loop;
  struct frame *frame; /* innermost coroutine that runs; NULL on the main coroutine */
  struct task *task;   /* whose frame is outermost; NULL outside of tasks */
  struct wait *waiting; /* of the main coroutine */
  struct weft_list txs;     /* open transactions, newest first */
  struct weft_list tasks;   /* live ones */
  struct weft_list spare;   /* calls to use again */
  struct weft_list calls;   /* those in use */
  struct weft_list fetches; /* struct lua_fetch.link */
  uint32_t nspare;
  bool suspending;     /* the yield that is under way is Weft's own, not the user's */
  int callbacks;       /* depth of event handlers */
  uint64_t *slices;    /* atomic: counts up when a task begins to run (odd) and when it waits or has ended; a host may
                          let it point to a counter of its own */
  uint64_t own_slices;
  struct weft_origin origin; /* of what the main coroutine asks for; scope 0 */
  int64_t deadline;    /* of the main coroutine, 0: none */
  uint64_t chance, drawn; /* of core.random_hex: where it began, how often */
  const struct weft_event_info *told; /* what event handlers are told of right now, or NULL */
  int slot[SLOT_COUNT]; /* registry references, one each */
  uint32_t ntasks, nshapes;
  const void *null;    /* address of weft.null */
  struct weft_buf text; /* JSON that is being written */
  struct weft_decimal decimals[DECIMALS]; /* what SLOT_DECIMALS holds; scale -1: nothing */
  char prefix[2][512]; /* source prefixes of Weft's own Lua files, library and program: not a user's line */
};

static inline struct weft_lua *weft_lua_self(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}
/* Raises closed once the state is being closed: a finalizer may come even later than Weft's. */
void weft_lua_alive(lua_State *L, struct weft_lua *w);
/* For code that is not called as a function of the module. */
__attribute__((visibility("default"))) struct weft_lua *weft_lua_of(lua_State *L);
static inline void weft_lua_slot(lua_State *L, struct weft_lua *w, int slot) { /* pushes */
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->slot[slot]);
}
static inline void weft_lua_set_slot(lua_State *L, struct weft_lua *w, int slot) { /* pops */
  lua_rawseti(L, LUA_REGISTRYINDEX, w->slot[slot]);
}
/* Is the value at idx a table or userdata with that metatable? */
bool weft_lua_is(lua_State *L, struct weft_lua *w, int idx, int slot);
/* Between two pieces of work: collects when half of the room below most (0: there is no limit) is gone that the last
   time left, and notes in kept what is in use then. Lua does so itself when a table or a string does not fit, but not
   for the buffers in which it makes texts: they would fail of the rubbish that a greedy piece of work has left. */
__attribute__((visibility("default"))) void weft_lua_relieve(lua_State *L, const size_t *used, size_t most,
                                                             size_t *kept);
/* Registers functions with upvalue 1 into the table on top. */
void weft_lua_functions(lua_State *L, struct weft_lua *w, const luaL_Reg *functions);
/* A metatable with these functions and __index itself, kept in slot; left on the stack. */
void weft_lua_metatable(lua_State *L, struct weft_lua *w, int slot, const char *name,
                        const luaL_Reg *functions);

/* ---- error.c ---- */
struct weft_lua_context { /* what an error table says beyond the core's error; NULL: nothing */
  const char *op;
  const char *model;
  struct weft_slice database;
};
void weft_lua_push_error(lua_State *L, struct weft_lua *w, const struct weft_error *err,
                         const struct weft_lua_context *c);
/* Raises. usage errors get the caller's position (the innermost Lua function that is not Weft's). */
int weft_lua_raise(lua_State *L, struct weft_lua *w, const struct weft_error *err,
                   const struct weft_lua_context *c);
int weft_lua_usage(lua_State *L, struct weft_lua *w, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void weft_lua_open_error(lua_State *L, struct weft_lua *w);
/* The level of the innermost function that is not Weft's, with its source and line in ar; -1: there is none. */
int weft_lua_user(lua_State *L, struct weft_lua *w, lua_Debug *ar);
/* Writes "file:line: " of the user's code that called, or "". */
void weft_lua_where(lua_State *L, struct weft_lua *w, char *out, size_t size);
/* Pushes the traceback of another stack, or of L itself, from that level on. */
void weft_lua_traceback(lua_State *L, lua_State *of, int level);

/* ---- value.c ---- */
void weft_lua_push(lua_State *L, struct weft_lua *w, struct weft_value v, uint32_t as);
/* A Lua value as a parameter. Text is borrowed from Lua (keep it on the stack or copy); the rest from
   arena. to: the column's type or NULL. what names the place in messages ("column 'price'"). nil is
   refused. */
int weft_lua_value(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                   const struct weft_column_type *to, const char *what, struct weft_value *out,
                   struct weft_error *err);
void weft_lua_open_value(lua_State *L, struct weft_lua *w);

/* ---- json.c ---- */
/* Text that is no UTF-8 fails as type. */
int weft_lua_encode(lua_State *L, struct weft_lua *w, int idx, struct weft_buf *out,
                    struct weft_error *err);
int weft_lua_decode(lua_State *L, struct weft_lua *w, struct weft_slice text,
                    struct weft_error *err); /* pushes one value, or nothing on failure */
void weft_lua_open_json(lua_State *L, struct weft_lua *w);

/* ---- decimal.c ---- */
void weft_lua_push_decimal(lua_State *L, struct weft_lua *w, const struct weft_decimal *d);
const struct weft_decimal *weft_lua_to_decimal(lua_State *L, struct weft_lua *w, int idx);
void weft_lua_open_decimal(lua_State *L, struct weft_lua *w);

/* ---- task.c, wait.c, coroutine.c ---- */
struct wait {
  bool done;
  struct task *task;   /* who waits; NULL: the main coroutine, or nobody yet */
  lua_State *co;       /* the coroutine that asked, innermost; NULL: it does not wait yet */
  struct task *target; /* the task that is awaited, for the search of deadlocks */
  struct weft_call *call;   /* or the statement */
  struct weft_fetch *fetch; /* or the statements */
  enum weft_kind why;  /* WEFT_OK, or why the wait was given up */
  void (*cancel)(struct wait *wait, enum weft_kind why); /* makes done come; NULL: cannot be */
  struct weft_timer *timer; /* of a sleep, or of a deadline that nothing else watches */
  struct weft_list link;    /* of whatever is waited for */
};
void weft_lua_wait_init(struct wait *wait, void (*cancel)(struct wait *, enum weft_kind));
/* Raises usage when a call that may wait is made where nothing can yield, and cancelled when the task
   is (unless shielded: the end of a transaction). To be asked before anything is started. */
void weft_lua_may_wait(lua_State *L, struct weft_lua *w, bool shielded);
/* Waits until wait->done, then goes on in k. Returns what k returns. wait lives at least until k. */
int weft_lua_wait(lua_State *L, struct weft_lua *w, struct wait *wait, lua_KContext ctx,
                  lua_KFunction k);
/* Marks done and lets the waiting task run in this turn. */
void weft_lua_wake(struct weft_lua *w, struct wait *wait);
/* Raises why a wait was given up: "cancelled" or "timeout". */
int weft_lua_given_up(lua_State *L, struct weft_lua *w, const struct wait *wait);
/* Gives the wait of who (NULL: the main coroutine) up when it waits for itself through a transaction. */
void weft_lua_find_deadlock(struct weft_lua *w, struct wait *wait, const struct task *who);
/* Does the wait end only after tx has given something back? */
bool weft_lua_held_up(const struct wait *wait, const struct weft_tx *tx);
void weft_lua_open_task(lua_State *L, struct weft_lua *w);
void weft_lua_open_coroutine(lua_State *L, struct weft_lua *w);
void weft_lua_close_tasks(struct weft_lua *w);

/* The innermost coroutine that runs: pushed by whoever resumes one (a task's start, the user's
   coroutine.resume and wrap), so that the chain of resumers can be walked. */
struct frame {
  lua_State *co;
  struct frame *prev;
  bool yieldable; /* a yield from here reaches the scheduler */
};

/* Whether owner is the running coroutine or one of its resumers. */
bool weft_lua_in_lineage(lua_State *L, struct weft_lua *w, const lua_State *owner);

/* A transaction that a task inherited, and inside how many of its savepoints it was spawned. */
struct lineage {
  struct lua_tx *tx;
  uint32_t level;
};

struct task {
  struct weft_lua *w;
  lua_State *co;
  struct weft_hook item;     /* its next resume */
  struct weft_list link;     /* w->tasks */
  struct weft_list waiters;  /* struct wait.link of those who await it */
  struct weft_list failed;   /* run's list of failures that nobody took */
  struct wait *waiting;      /* what it waits for */
  struct run *run;
  struct group *group;
  int number;                /* in SLOT_TASKS */
  int nargs, nresults;
  int64_t deadline;
  bool started, ended, failure, cancelled, taken;
  bool dropped;              /* cancelled by its handle: that it ended so is nobody's loss */
  bool background;           /* the program does not wait for its end, but ends it */
  bool overdue, closing;     /* it is being stopped: see overdue.c; its variables are being closed */
  int64_t limit;             /* a deadline behind the deadline: it is stopped instead of resumed; 0: none; inherited */
  struct weft_origin origin; /* scope: number of what it works for, as a request; span: of weft.trace; inherited by what it spawns */
  void (*on_end)(struct task *t); /* of a host: its results or its error are on top of co */
  void *ud;                  /* of on_end */
  uint32_t inlined;          /* calls that ended at once since it was resumed */
  struct lineage *lineage;   /* transactions inherited from the spawning weft.all */
  uint32_t nlineage;
};
/* Of whatever runs: what it asks for has this deadline and this origin. */
static inline int64_t weft_lua_deadline(const struct weft_lua *w) {
  return w->task ? w->task->deadline : w->deadline;
}
static inline struct weft_origin *weft_lua_origin(struct weft_lua *w) {
  return w->task ? &w->task->origin : &w->origin;
}
/* A task on top of the stack as a handle: fn and its nargs arguments are taken from the stack. */
struct task *weft_lua_spawn(lua_State *L, struct weft_lua *w, int nargs, bool inherit);
__attribute__((visibility("default"))) void weft_lua_cancel(struct task *t, enum weft_kind why);
/* Pushes the handle of one that has not ended. */
void weft_lua_push_task(lua_State *L, struct weft_lua *w, const struct task *t);
/* An ended task whose handle nobody has any more: its coroutine serves again. */
void weft_lua_recycle(lua_State *L, struct weft_lua *w, struct task *t);

/* ---- overdue.c: code that runs too long without waiting ---- */
/* Stops the task that runs right now, when it is still the slice of this number; pcall does not help it. Only from
   a signal handler on the thread of the state (it is async-signal-safe). */
void weft_lua_stop_slice(struct weft_lua *w, uint64_t slice);
void weft_lua_end_slice(struct task *t); /* the same for a task that waits */
/* A task that has been stopped inside of its slice: closes its variables and leaves the error on its stack. */
void weft_lua_stopped(struct task *t);
void weft_lua_slice(struct weft_lua *w); /* a task begins or ceases to run */
/* lua_pcall on w->handlers of what the core or a host calls back: nothing can wait in there, and what runs too long is
   stopped as a task is. */
int weft_lua_call_back(struct weft_lua *w, int nargs, int nresults);
/* Does at wait for the end of who, directly or through other tasks, weft.all or weft.run? */
bool weft_lua_waits_for_task(struct weft_lua *w, const struct wait *at, const struct task *who);

/* ---- call.c ---- */
struct lua_call {
  struct weft_call call;
  struct wait wait;
  struct weft_lua *w;
  struct weft_list link;      /* calls or spare */
  struct weft_lua_context context;
  lua_KFunction k;            /* what goes on with the answer */
  lua_KFunction after;        /* and behind that, see weft_lua_with_table */
  const struct model *model;  /* of the rows, borrowed: the stack holds it */
  int mode;                   /* of whoever pushes the result */
};
struct lua_call *weft_lua_call(struct weft_lua *w, const char *op); /* a fresh one */
void weft_lua_call_done(struct lua_call *c);                        /* back to the spare ones */
/* Waits for a started call and goes on in k with ctx = the call; raises its failure (the call is given
   back first) before k would see it. */
int weft_lua_await(lua_State *L, struct lua_call *c, lua_KFunction k);

/* ---- event.c ---- */
void weft_lua_open_event(lua_State *L, struct weft_lua *w);

/* ---- hop.c ---- */
/* NULL: it is none, or was finalized because the state is being closed. */
struct weft_association *weft_lua_to_hop(lua_State *L, struct weft_lua *w, int idx);
/* The numbers in t of the n columns that the list at idx names; raises usage for an unknown one. */
void weft_lua_key_numbers(lua_State *L, struct weft_lua *w, int idx, const struct weft_table *t,
                          uint32_t n, uint32_t *out);
void weft_lua_open_hop(lua_State *L, struct weft_lua *w);

/* ---- bind.c ---- */
/* The query with its names bound, owned: info is the index of its model info, answers of a table or 0. -1 with
   *need: what core.bind says is on top of the stack; *need NULL: it failed for good. Raises what Lua raises. */
int weft_lua_bind_query(lua_State *L, struct weft_lua *w, struct lua_query *lq, int info, int answers,
                        const char **need, struct weft_query **out, struct weft_error *err);
void weft_lua_open_bind(lua_State *L, struct weft_lua *w);

/* ---- level.c, fetch.c: queries whose rows come with others below them ---- */
struct lua_level { /* user value 1: a table of [1] the model info, [2] the set of names of what is below, and
                      behind them the levels below, in order; after: who is told of its rows */
  struct weft_level *level;  /* NULL: the root, whose levels are: */
  struct weft_level **below; /* owned with their references */
  uint32_t nbelow;
  bool tells;                /* it or a level below has an `after` */
};
struct lua_level *weft_lua_to_level(lua_State *L, struct weft_lua *w, int idx); /* or NULL */
/* The levels of the query at idx when they were compiled, pushed; NULL, nothing pushed, else. */
struct lua_level *weft_lua_push_levels(lua_State *L, struct weft_lua *w, int idx);
/* Do they fit the tables as they are now? Those that do not are run all the same, as queries made of an older table
   are: what they name may be gone. */
bool weft_lua_fresh(const struct lua_level *root);
void weft_lua_open_level(lua_State *L, struct weft_lua *w);
/* Runs q (its reference is taken over) with what is included below it: the root on top of the stack, the
   query at 1. mode: enum answer. */
int weft_lua_run_fetch(lua_State *L, struct weft_lua *w, struct lua_query *lq, struct weft_query *q,
                       const char *op, int mode);
void weft_lua_close_fetches(struct weft_lua *w);
void weft_lua_drop_fetches(const struct task *t); /* those whose answers it would have gone on with */
/* The wait for the tree that op is a statement of, and whose it is; *level: what was touched on rows, or NULL. */
const struct wait *weft_lua_fetch_of(const struct weft_lua *w, const struct weft_op *op,
                                     const struct weft_lua_context **context, const struct weft_level **level);
void weft_lua_open_fetch(lua_State *L, struct weft_lua *w);

/* ---- catalog.c ---- */
/* Pushes the rows as a list of plain tables, without what is NULL or false: see dialect_schema.h. */
void weft_lua_push_objects(lua_State *L, struct weft_lua *w, const struct weft_rows *rows);
void weft_lua_open_catalog(lua_State *L, struct weft_lua *w);

/* ---- rows.c ---- */
struct model;
/* How rows are shown: stack indices, 0 for none. */
struct weft_lua_look {
  int model;     /* the model info table */
  int included;  /* the set of associations that come with the rows */
  uint32_t more; /* fields that will be added to each row */
  bool strict;   /* touching what was not included raises */
  bool below;    /* rows of a level: the pushed list is the result's own, to be made weak once they are linked */
};
/* Pushes one row / all rows as tables. Takes no reference of its own beyond what Lua holds. */
void weft_lua_push_row(lua_State *L, struct weft_lua *w, struct weft_rows *rows, uint32_t i,
                       struct weft_lua_look look);
void weft_lua_push_rows(lua_State *L, struct weft_lua *w, struct weft_rows *rows,
                        struct weft_lua_look look);
void weft_lua_open_rows(lua_State *L, struct weft_lua *w);
/* Pushes the keys table of columns: the list of their names, and name -> number. */
void weft_lua_push_shape(lua_State *L, struct weft_lua *w, struct weft_columns *columns);
/* The result of the row at `to`, which is nobody else's, is as strict as that of the row at `from`, and knows, if
   told so, of the same associations that were included. */
void weft_lua_keep_look(lua_State *L, struct weft_lua *w, int from, int to, bool included);
/* Pushes the model info of the row at idx; false, nothing pushed, when it has none. */
bool weft_lua_push_info(lua_State *L, struct weft_lua *w, int idx);
/* The result that a row belongs to (its columns, and the row's number), false when t is no row. */
bool weft_lua_row(lua_State *L, struct weft_lua *w, int idx, struct weft_rows **rows,
                  uint32_t *number);

/* ---- change.c ---- */
/* Whether the value at idx is another one than the cell v, shown as as, gives. */
bool weft_lua_changed(lua_State *L, struct weft_lua *w, int idx, struct weft_value v, uint32_t as);
void weft_lua_open_change(lua_State *L, struct weft_lua *w);

/* ---- database.c ---- */
struct lua_db {
  struct weft_db *db; /* NULL when closed */
  uint32_t decimals;  /* enum weft_as of raw results' decimals */
};
struct weft_db *weft_lua_to_db(lua_State *L, struct weft_lua *w, int idx);
void weft_lua_open_database(lua_State *L, struct weft_lua *w);

/* ---- transaction.c ---- */
struct lua_tx {
  struct weft_tx *tx;      /* NULL once ended */
  struct weft_db *db;
  const lua_State *owner;  /* the coroutine that opened it */
  struct task *task;       /* in which it was opened, NULL: the main coroutine */
  struct weft_list link;   /* w->txs */
  bool session;
  uint32_t nlevels;        /* open nested transactions, and who opened each: */
  const lua_State *levels[MAX_LEVELS];
};
/* The transaction or session of db that the running coroutine is in, NULL outside; *level: how deep inside
   of it the caller is, for a call's level. */
struct weft_tx *weft_lua_join(lua_State *L, struct weft_lua *w, struct weft_db *db,
                              uint32_t *level);
/* Inside how many savepoints of tx the running coroutine is, from 1; 0: it has nothing to do with tx. */
uint32_t weft_lua_level(lua_State *L, struct weft_lua *w, const struct lua_tx *tx);
/* Rolls back what the task left open when it was stopped; how many. */
uint32_t weft_lua_abandon(struct weft_lua *w, const struct task *t);
void weft_lua_open_transaction(lua_State *L, struct weft_lua *w);

/* ---- base64.c ---- */
void weft_lua_open_base64(lua_State *L, struct weft_lua *w);

/* ---- html.c ---- */
void weft_lua_open_html(lua_State *L, struct weft_lua *w);

/* ---- system.c ---- */
void weft_lua_open_system(lua_State *L, struct weft_lua *w);

/* ---- scripts.c ---- */
void weft_lua_open_scripts(lua_State *L, struct weft_lua *w);

/* ---- query.c, condition.c, terminal.c ---- */
struct model { /* one per Lua model; lives in the model info's userdata */
  struct weft_relation *relation;
  struct weft_db *db;
  char *label; /* "product_service.Product" */
  uint64_t complete; /* the epoch of db in which the associations of foreign keys were found, from 1 */
};
/* Are all its associations known? */
bool weft_lua_complete(const struct model *m);
struct lua_query { /* user values: 1 the model info, 2 what is included: a table of lua/weft, or nil */
  struct weft_query *q;
  struct model *model;
  bool includes;
};
struct lua_query *weft_lua_to_query(lua_State *L, struct weft_lua *w, int idx);
struct lua_query *weft_lua_check_query(lua_State *L, struct weft_lua *w, int idx);
/* The query at 1, which must be one, and from now on without what it includes: for terminals that give no rows. */
struct lua_query *weft_lua_bare(lua_State *L, struct weft_lua *w);
/* Pushes a query like that at idx (same model). Its q is NULL: what is made goes there at once, owned. */
struct lua_query *weft_lua_push_query(lua_State *L, int idx);
/* What errors of an operation on it say. */
struct weft_lua_context weft_lua_about(const struct lua_query *lq, const char *op);
/* q on the newest version of the model's table. */
struct weft_query *weft_lua_current(struct lua_query *lq);
void weft_lua_open_query(lua_State *L, struct weft_lua *w);
void weft_lua_open_model(lua_State *L, struct weft_lua *w);
void weft_lua_open_mark(lua_State *L, struct weft_lua *w);
void weft_lua_open_terminal(lua_State *L, struct weft_lua *w);

/* condition.c: what stands at idx .. top as one condition in arena. */
int weft_lua_condition(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                       const struct weft_table *table, const char *who,
                       const struct weft_expr **out, struct weft_error *err);
/* A column name or a path as an operand; *column its number in table or -1. */
int weft_lua_operand(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                     const struct weft_table *table, const struct weft_expr **out, int *column,
                     struct weft_error *err);
/* A raw, an aggregate, a path or a column name, as something to select. */
int weft_lua_selectable(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                        const struct weft_table *table, const struct weft_expr **out,
                        struct weft_error *err);

#endif
