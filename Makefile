# SPDX-License-Identifier: GPL-2.0-or-later
# One non-recursive Makefile: `make help` lists what it can do. Everything is built below build/.

BUILD ?= build
WOLFSSL ?= build/deps/wolfssl
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
SECONDS ?= 60

# make V=1 shows the commands.
Q := $(if $(V),,@)
run = $(Q)$(if $(V),,echo '  $(1)' '$(patsubst $(CURDIR)/%,%,$@)' &&)

SANITIZE :=
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
# -fexceptions: a cancelled thread unwinds through the hooks. initial-exec: thread-local storage that never
# allocates, so that it may be touched in a signal handler.
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(WARN) -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections \
	-fexceptions -fno-plt -fstack-protector-strong -ftls-model=initial-exec -I. -isystem $(WOLFSSL)/include \
	$(CFLAGS) $(SANITIZE)
LIBS = $(WOLFSSL)/lib/libwolfssl.a -Wl,--as-needed -lpthread -ldl
# -static-libgcc: the library needs libc alone.
HARDEN := -static-libgcc -Wl,--gc-sections -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack

ENGINE := $(wildcard engine/*.c)
POLICY := $(wildcard policy/*.c)
SHIM := $(wildcard shim/*.c)
CLI := $(wildcard shim/cli/*.c)
TESTS := $(wildcard tests/unit/test_*.c tests/vectors/test_*.c tests/memory/test_*.c tests/ct/test_*.c)
TEST_LIB := $(wildcard tests/lib/*.c)
PROGS := $(wildcard tests/progs/*.c)
PROG_FOLDERS := $(patsubst %/,%,$(wildcard tests/progs/*/))
FUZZERS := $(wildcard tests/fuzz/fuzz_*.c)
TOOLS := $(wildcard tests/interop/*.c tests/bench/*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
CORE := $(call obj,$(ENGINE) $(POLICY))
LIB_OBJ := $(CORE) $(call obj,$(SHIM) shim/cli/elf.c)
TOOL_OBJ := $(CORE) $(call obj,$(CLI) shim/report.c)
TEST_BIN := $(patsubst tests/%.c,$(BUILD)/%,$(TESTS))
PROG_BIN := $(foreach p,$(PROGS:.c=) $(PROG_FOLDERS),$(p:tests/%=$(BUILD)/%) $(p:tests/%=$(BUILD)/%.fortify))
TOOL_BIN := $(patsubst tests/%.c,$(BUILD)/%,$(TOOLS))
FUZZ_BIN := $(patsubst tests/%.c,$(BUILD)/%,$(FUZZERS))

.PHONY: help all deps demo check check-fast check-c compat progs bench fuzz fuzz-bin install uninstall asan ubsan tsan
.PHONY: format lint clean compile_commands.json packages FORCE
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

help: ## this list
	@echo "make targets (default: all):"
	@sed -n 's/^\([a-z_.-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 26
	@echo "variables: V=1 CC CFLAGS PREFIX DESTDIR T=name SECONDS=n WOLFSSL_TARBALL=file TLSHIM_CACHE=dir"

all: $(BUILD)/libtlshim.so $(BUILD)/tlshim ## build/libtlshim.so and build/tlshim

# ---- what we build on ----

deps: $(WOLFSSL)/lib/libwolfssl.a ## install missing packages (apt), build the pinned wolfSSL
	@echo "all is there; wolfSSL: $(WOLFSSL)"

# Packages are installed by these goals only, and before all else.
PACKAGES := $(if $(filter deps check demo bench compat,$(MAKECMDGOALS)),packages)
packages:
	@.build/packages.sh build $(filter demo bench,$(MAKECMDGOALS)) $(if $(filter deps check compat,$(MAKECMDGOALS)),test) \
		$(filter compat,$(MAKECMDGOALS))

$(WOLFSSL)/lib/libwolfssl.a: .build/wolfssl.sh .build/wolfcrypt_random.h | $(PACKAGES)
	@CC="$(CC)" .build/wolfssl.sh $(WOLFSSL)

# ---- the library and the command: put in place whole, for programs may be running with them ----

$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS)' >$@

$(BUILD)/obj/%.o: %.c $(BUILD)/flags $(WOLFSSL)/lib/libwolfssl.a
	@mkdir -p $(@D)
	$(call run,CC  ) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/exports.map: $(wildcard shim/hooks.def)
	@mkdir -p $(@D)
	@{ echo '{'; .build/hooks.sh | sed '1s/^/global:\n/; s/$$/;/'; echo 'local: *; };'; } >$@

$(BUILD)/libtlshim.so: $(LIB_OBJ) $(BUILD)/exports.map $(WOLFSSL)/lib/libwolfssl.a
	$(call run,LINK) $(CC) -shared -o $@.new $(LIB_OBJ) $(CFLAGS) $(LDFLAGS) $(SANITIZE) $(HARDEN) -Wl,-z,defs -Wl,-z,nodelete \
		-Wl,--exclude-libs,ALL -Wl,--version-script=$(BUILD)/exports.map $(LIBS)
	@mv -f $@.new $@

$(BUILD)/tlshim: $(TOOL_OBJ) $(WOLFSSL)/lib/libwolfssl.a
	$(call run,LINK) $(CC) -pie -o $@.new $(TOOL_OBJ) $(CFLAGS) $(LDFLAGS) $(SANITIZE) $(HARDEN) $(LIBS)
	@mv -f $@.new $@

install: all ## install below PREFIX (and DESTDIR)
	install -D -m 755 $(BUILD)/tlshim $(DESTDIR)$(PREFIX)/bin/tlshim
	install -D -m 755 $(BUILD)/libtlshim.so $(DESTDIR)$(PREFIX)/lib/tlshim/libtlshim.so
	install -D -m 644 shim/cli/tlshim.1 $(DESTDIR)$(PREFIX)/share/man/man1/tlshim.1
	install -D -m 644 policy/tlshim-policy.5 $(DESTDIR)$(PREFIX)/share/man/man5/tlshim-policy.5

uninstall: ## take away what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/tlshim $(DESTDIR)$(PREFIX)/lib/tlshim/libtlshim.so
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/tlshim.1 $(DESTDIR)$(PREFIX)/share/man/man5/tlshim-policy.5
	rmdir $(DESTDIR)$(PREFIX)/lib/tlshim 2>/dev/null || true

# ---- tests ----

# A test takes from these archives what it names. The hooks stay out: they would interpose the test's own calls.
$(BUILD)/libcore.a: $(CORE)
$(BUILD)/libshim.a: $(call obj,$(filter-out shim/hook_% shim/cli/main.c,$(SHIM) $(CLI)))
$(BUILD)/libtest.a: $(call obj,$(TEST_LIB))
$(BUILD)/lib%.a:
	@rm -f $@
	@ar rcs $@ $^

$(TEST_BIN) $(TOOL_BIN): $(BUILD)/%: $(BUILD)/obj/tests/%.o $(BUILD)/libcore.a $(BUILD)/libshim.a $(BUILD)/libtest.a
	@mkdir -p $(@D)
	$(call run,LINK) $(CC) -o $@ $< $(CFLAGS) $(LDFLAGS) $(SANITIZE) -Wl,--gc-sections -Wl,--start-group $(BUILD)/libtest.a \
		$(BUILD)/libshim.a $(BUILD)/libcore.a -Wl,--end-group $(LIBS) -lcmocka

# valgrind cannot read all debug information that clang writes: it gives up. Names are enough for it.
$(BUILD)/ct/%: LDFLAGS += -Wl,--strip-debug

PROG_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -pthread -U_FORTIFY_SOURCE
$(BUILD)/progs/%.fortify: tests/progs/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,PROG) $(CC) $(PROG_CFLAGS) -D_FORTIFY_SOURCE=3 -o $@ $< -ldl
$(BUILD)/progs/%: tests/progs/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,PROG) $(CC) $(PROG_CFLAGS) -D_FORTIFY_SOURCE=0 -o $@ $< -ldl

# A folder is one program.
define prog_of_folder
$(BUILD)/progs/$(notdir $(1)) $(BUILD)/progs/$(notdir $(1)).fortify: $(wildcard $(1)/*) $(BUILD)/flags
	@mkdir -p $$(@D)
	$$(call run,PROG) $$(CC) $$(PROG_CFLAGS) -D_FORTIFY_SOURCE=$$(if $$(filter %.fortify,$$@),3,0) -o $$@ \
		$$(filter %.c,$$^) -ldl
endef
$(foreach f,$(PROG_FOLDERS),$(eval $(call prog_of_folder,$(f))))

progs: $(PROG_BIN) $(TOOL_BIN)

check: all progs $(TEST_BIN) ## all tests
	@BUILD=$(BUILD) tests/run

check-fast: all progs $(TEST_BIN) ## C tests and the quick end-to-end tests, about a minute
	@BUILD=$(BUILD) tests/run --fast

compat: all progs ## a hundred real programs and upstream test suites, some 15 minutes
	@BUILD=$(BUILD) tests/run --compat

check-c: $(TEST_BIN)
	@BUILD=$(BUILD) tests/run --c-only

UBSAN := -fsanitize=undefined -fno-sanitize-recover=undefined
asan: ## C tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory BUILD=build/asan SANITIZE="-fsanitize=address -fno-omit-frame-pointer $(UBSAN)" check-c

ubsan: ## C tests under UBSan alone
	@$(MAKE) --no-print-directory BUILD=build/ubsan SANITIZE="$(UBSAN)" check-c

tsan: ## C tests with threads (test_*thread*.c) under ThreadSanitizer
	@$(MAKE) --no-print-directory BUILD=build/tsan SANITIZE=-fsanitize=thread \
		TESTS="$(wildcard tests/*/test_*thread*.c)" check-c

fuzz: ## run the fuzzers: T=name for one, SECONDS=n for each
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang SANITIZE="-fsanitize=fuzzer-no-link,address,undefined" \
		$(if $(T),FUZZERS=tests/fuzz/fuzz_$(T:fuzz_%=%).c) fuzz-bin
	@T="$(T:fuzz_%=%)" tests/lib/fuzz.sh $(SECONDS)

fuzz-bin: $(FUZZ_BIN)

$(FUZZ_BIN): $(BUILD)/%: $(BUILD)/obj/tests/%.o $(BUILD)/libcore.a $(BUILD)/libshim.a $(BUILD)/libtest.a
	@mkdir -p $(@D)
	$(call run,LINK) $(CC) -o $@ $< $(CFLAGS) $(SANITIZE) -fsanitize=fuzzer -Wl,--gc-sections \
		-Wl,--start-group $(BUILD)/libtest.a $(BUILD)/libshim.a $(BUILD)/libcore.a -Wl,--end-group $(LIBS)

bench: all progs ## speed and memory, as ratios against peers
	@if [ -x tests/bench/run ]; then BUILD=$(BUILD) tests/bench/run; else echo "no tests/bench/run"; exit 1; fi

demo: all ## see it work: TLS between programs that know none
	@BUILD=$(BUILD) examples/demo/run

# ---- care of the source ----

lint: all ## static checkers, exported and undefined symbols
	@BUILD=$(BUILD) CC="$(CC)" WOLFSSL=$(WOLFSSL) tests/lib/lint.sh

format: ## clang-format over all C files
	clang-format -i $(wildcard engine/*.[ch] policy/*.[ch] shim/*.[ch] shim/cli/*.[ch] tests/*/*.[ch] tests/progs/*/*.[ch])

compile_commands.json: ## for editors and clang-tidy, in build/
	@mkdir -p build
	@{ echo '['; for f in $(ENGINE) $(POLICY) $(SHIM) $(CLI); do \
		echo "$${sep}{\"directory\": \"$(CURDIR)\", \"file\": \"$$f\", \"command\": \"$(CC) $(ALL_CFLAGS) -c $$f\"}"; \
		sep=,; done; echo ']'; } >build/$@

clean: ## remove build/ but the built wolfSSL (make clean WOLFSSL_TOO=1 removes that too)
	rm -rf $(filter-out build/deps,$(wildcard build/*)) $(if $(WOLFSSL_TOO),build/deps)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
