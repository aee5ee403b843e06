# SPDX-License-Identifier: MIT
# Settings: MODE picks the build, SPEC and NAME what `make test` runs, ARGS goes to bench and demo, SECS to fuzz; `make --trace` shows commands.
MODE    ?= release
VERSION := 0.1.0
# A driver is core/driver/NAME*.c (and core/driver/NAME/*.c), linked to its client library alone.
DRIVERS := sqlite postgres mysql
sqlite_LIBS := -lsqlite3
postgres_LIBS := -lpq
mysql_LIBS := -lmariadb
# What Lua requires as weft.NAME and links a library of its own is bindings/modules/NAME.c.
MODULES := $(basename $(notdir $(wildcard bindings/modules/*.c)))
crypto_LIBS := -lcrypto
curl_LIBS := -lcurl
line_LIBS := -ledit
# ---- end of the settings
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += --no-print-directory -j$(shell nproc)
endif

B := build/$(MODE)
WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla
MODE_release  := -O2 -g
MODE_debug    := -O0 -g3
MODE_asan     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
MODE_tsan     := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
MODE_coverage := -O0 -g --coverage
MODE_lint     := -O2 -Werror
MODE_fuzz     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
ifndef MODE_$(MODE)
$(error MODE is one of release, debug, asan, tsan, coverage; not '$(MODE)')
endif

# Interposition is ruled out so that calls inside the core cost what they would in a static program.
CPPFLAGS += -D_GNU_SOURCE -DWEFT_VERSION='"$(VERSION)"' -Icore -Ibindings/lua -Ibindings/http -Ibindings/embed $(DEPS_CFLAGS)
ALL_CFLAGS = -std=c11 $(MODE_$(MODE)) $(WARN) -fPIC -fvisibility=hidden -fno-semantic-interposition -pthread $(CFLAGS)
LINK = $(CC) $(ALL_CFLAGS) $(LDFLAGS)

objects = $(patsubst %.c,$(B)/obj/%.o,$(1))
matching = $(strip $(if $(SPEC),$(foreach f,$(1),$(if $(strip $(foreach s,$(SPEC),$(findstring $(s),$(f)))),$(f))),$(1)))
driver_source = $(wildcard core/driver/$(1)*.c core/driver/$(1)/*.c)
DRIVER_C := $(foreach d,$(DRIVERS),$(call driver_source,$(d)))
CORE_C := $(filter-out $(DRIVER_C),$(wildcard core/*.c core/driver/*.c))
LUA_C := $(wildcard bindings/lua/*.c)
HTTP_C := $(wildcard bindings/http/*.c)
HOST_C := $(wildcard bindings/host/*.c)
EMBED_C := $(wildcard bindings/embed/*.c)
MODULE_C := $(wildcard bindings/modules/*.c)
SPEC_C := $(wildcard spec/c/*_spec.c)
FUZZ := $(patsubst spec/fuzz/%_fuzz.c,%,$(wildcard spec/fuzz/*_fuzz.c))
ALL_C := $(CORE_C) $(DRIVER_C) $(LUA_C) $(HTTP_C) $(HOST_C) $(EMBED_C) $(MODULE_C) $(SPEC_C) $(wildcard spec/support/*.c spec/embed/*.c spec/fuzz/*.c examples/*/*.c)
LLHTTP := $(patsubst %,$(B)/obj/llhttp/%.o,api http llhttp)
DRIVER_SO := $(foreach d,$(DRIVERS),$(if $(call driver_source,$(d)),$(B)/lib/weft/driver_$(d).so)) $(MODULES:%=$(B)/lib/weft/%.so)
SPEC_TOOLS := $(patsubst %,$(B)/spec/%,proxy talk runtime_api httpd)
SPEC_BIN := $(patsubst spec/c/%_spec.c,$(B)/spec/%,$(call matching,$(SPEC_C)))

.DELETE_ON_ERROR:
.PHONY: all module install install-module uninstall test demo lambda bench layers lint objects valgrind fuzz fuzzers env clean help
PROGRAM := $(if $(LUA_C),$(B)/weft $(B)/lua/.done $(B)/lib/weft/core.so $(B)/lib/libweft.so $(B)/lib/libweft.a $(if $(filter release,$(MODE)),build/weft))

all: $(DRIVER_SO) $(PROGRAM) ## build the program, the libraries, the Lua module and the drivers
module: $(DRIVER_SO) $(B)/lib/weft/core.so

install: all ## install below PREFIX (/usr/local), with DESTDIR in front; see scripts/install.sh
uninstall: ## remove what was installed
install-module: module
install uninstall install-module:
	@scripts/install.sh $@ '$(B)' '$(VERSION)'

test: $(DRIVER_SO) $(if $(call matching,$(wildcard spec/*_spec.lua spec/*/*_spec.lua)),$(PROGRAM)) build/.deps-test $(SPEC_BIN) $(SPEC_TOOLS) ## run the specs; SPEC="pool json" or SPEC=spec/x_spec.lua runs a part, NAME=words one fact
	@lua5.4 spec/run.lua --mode $(MODE) --name '$(NAME)' -- $(SPEC)

demo: all ## run the shop
	@$(B)/weft run examples/shop/demo.lua $(ARGS)
lambda: all build/.deps-lambda ## pack an app for AWS Lambda: make lambda HANDLER=folder gives build/lambda.zip
	@$(B)/weft lambda --zip '$(HANDLER)' $(ARGS)
bench: all ## measure against raw C clients
	@$(B)/weft bench $(ARGS)
layers: build/.deps-lint ## check that no file uses a higher floor (.layers)
	@lua5.4 scripts/layers.lua

# cppcheck misreads hexadecimal floats, hence incorrectLogicOperator.
lint: build/.deps-lint ## -Werror, cppcheck, luacheck
	@$(MAKE) MODE=lint objects
	@cppcheck --quiet --std=c11 --error-exitcode=1 --enable=warning,portability --inline-suppr --suppress=missingIncludeSystem \
	  --suppress=incorrectLogicOperator --cppcheck-build-dir=build/lint -j2 -D_GNU_SOURCE -Icore -Ibindings/lua -Ibindings/http $(ALL_C)
	@luacheck --quiet $(wildcard lua scripts spec examples)

objects: $(call objects,$(ALL_C))
valgrind: all build/.deps-test build/.deps-valgrind ## run a few specs under valgrind (SPEC picks others)
	@lua5.4 spec/run.lua --mode $(MODE) --valgrind -- $(or $(SPEC),value rows smoke)

fuzz: build/.deps-fuzz ## feed the parsers hostile bytes for SECS=60 seconds in all
	@$(MAKE) MODE=fuzz CC=clang fuzzers
	@lua5.4 spec/fuzz/run.lua $(or $(SECS),60) $(FUZZ)
fuzzers: $(FUZZ:%=$(B)/fuzz/%)

env: ## print the line with which plain lua5.4 finds this build
	@echo "export LUA_PATH='$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;' LUA_CPATH='$(CURDIR)/$(B)/lib/?.so;;'"
clean: ## remove everything that was built
	@[ ! -d build/servers ] || lua5.4 spec/run.lua --clean
	@rm -rf build
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

$(B)/weft: $(call objects,$(CORE_C) $(LUA_C) $(HTTP_C) $(HOST_C)) $(LLHTTP)
	@mkdir -p $(@D) && echo "  LD   $@"
	@$(LINK) -rdynamic -o $@ $^ -Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive $(DEPS_LIBS) -lz -lm -ldl

$(B)/lua/.done: $(B)/weft scripts/dump.lua scripts/app/compile.lua $(wildcard lua/weft/*.lua lua/weft/*/*.lua) # what require would compile at every start
	@$(B)/weft run scripts/dump.lua lua $(CURDIR)/lua $(@D) && touch $@

build/weft: | build/release/weft ; @ln -sfn release/weft $@

$(B)/lib/weft/core.so: $(call objects,$(CORE_C) $(LUA_C))
	@mkdir -p $(@D) && echo "  LD   $@"
	@$(LINK) -shared -Wl,-soname,weft_core.so -Wl,-Bsymbolic -o $@ $^ $(DEPS_LIBS) -lm -ldl && ln -sfn core.so $(@D)/weft_core.so

# The core is in the Lua module, whose functions drivers use; the library beside it exports what is in weft.h alone.
$(B)/lib/libweft.so: bindings/embed/weft.map $(call objects,$(EMBED_C)) $(B)/lib/weft/core.so
	@echo "  LD   $@"
	@$(LINK) -shared -Wl,-soname,libweft.so.0 -Wl,--version-script=$< -Wl,-rpath,'$$ORIGIN/weft' -o $@ $(filter-out $<,$^) -llua5.4 -ldl
	@ln -sfn libweft.so $@.0
$(B)/lib/libweft.a: $(B)/obj/weft.o $(patsubst %,$(B)/obj/driver_%.o,$(DRIVERS))
	@echo "  AR   $@"
	@rm -f $@ && $(AR) rcs $@ $^

# One object, in which hidden names are local ones.
$(B)/obj/weft.o: $(call objects,$(CORE_C) $(LUA_C) $(EMBED_C))
$(foreach d,$(DRIVERS),$(eval $(B)/obj/driver_$(d).o: $(call objects,$(call driver_source,$(d)))))
$(B)/obj/weft.o $(patsubst %,$(B)/obj/driver_%.o,$(DRIVERS)):
	@$(LD) -r -o $@ $^ && objcopy --localize-hidden $@

define driver_rule
$(B)/lib/weft/driver_$(1).so: $(call objects,$(call driver_source,$(1)))
	@mkdir -p $$(@D) && echo "  LD   $$@"
	@$$(LINK) -shared -o $$@ $$^ $($(1)_LIBS)
endef
$(foreach d,$(DRIVERS),$(eval $(call driver_rule,$(d))))

# Libraries like these keep what they have for the process: they stay when a Lua state goes.
$(MODULES:%=$(B)/lib/weft/%.so): $(B)/lib/weft/%.so: $(B)/obj/bindings/modules/%.o
	@mkdir -p $(@D) && echo "  LD   $@"
	@$(LINK) -shared -Wl,-z,nodelete -o $@ $^ $($*_LIBS)

$(SPEC_BIN): $(B)/spec/%: $(B)/obj/spec/c/%_spec.o $(call objects,$(CORE_C) $(HTTP_C)) $(LLHTTP)
	@mkdir -p $(@D) && echo "  LD   $@"
	@$(LINK) -rdynamic -o $@ $^ $(DEPS_LIBS) -lz -lm -ldl
$(B)/spec/httpd: $(B)/obj/spec/support/httpd.o $(call objects,$(CORE_C) $(HTTP_C)) $(LLHTTP)
	@mkdir -p $(@D) && echo "  LD   $@"
	@$(LINK) -rdynamic -o $@ $^ $(DEPS_LIBS) -lz -lm -ldl
.SECONDARY: $(FUZZ:%=$(B)/obj/spec/fuzz/%_fuzz.o)
$(B)/fuzz/%: $(B)/obj/spec/fuzz/%_fuzz.o $(call objects,$(CORE_C) $(LUA_C) $(HTTP_C)) $(LLHTTP)
	@mkdir -p $(@D) && echo "  LD   $@"
	@$(LINK) -fsanitize=fuzzer -rdynamic -o $@ $^ $(DEPS_LIBS) -llua5.4 -lz -lm -ldl
$(filter-out %/httpd,$(SPEC_TOOLS)): $(B)/spec/%: spec/support/%.c
	@mkdir -p $(@D) && echo "  CC   $<"
	@$(CC) -std=c11 -O1 -g $(WARN) -D_GNU_SOURCE -o $@ $<

$(B)/obj/llhttp/%.o: /usr/share/llhttp/%.c Makefile
	@mkdir -p $(@D) && echo "  CC   $<"
	@$(CC) -O2 -g -fPIC -fvisibility=hidden -w -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -c -o $@ $<

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D) && echo "  CC   $<"
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The packages are looked at again only when dpkg has changed something.
build/.deps-%: scripts/deps.sh $(wildcard /var/lib/dpkg/status)
	@scripts/deps.sh $* && mkdir -p build && touch $@

build/config.mk: scripts/deps.sh | build/.deps-build
	@{ echo "DEPS_CFLAGS := $$(pkg-config --cflags lua5.4 libuv sqlite3 libpq libmariadb) -isystem /usr/share/include/llhttp"; echo "DEPS_LIBS := $$(pkg-config --libs libuv)"; } >$@

ifneq ($(filter-out help clean env layers,$(or $(MAKECMDGOALS),all)),)
include build/config.mk
endif
-include $(patsubst %.o,%.d,$(call objects,$(ALL_C)))
