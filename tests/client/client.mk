# SPDX-License-Identifier: GPL-2.0-only
# The old client, build/tests/client.elf; tests/run/client.py runs it.

RUN_TESTS	+= client.py
check: $(B)/tests/client.elf

CLIENT_OBJ	:= $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/client/*.c)) \
		   $(B)/tests/client/entry.o \
		   $(addprefix $(B)/tests/guest/,tap.o pic.o) \
		   $(addprefix $(B)/tests/conformance/,native.o instructions.o)

$(B)/tests/client/%.o: tests/client/%.c tests/client/client.h \
		tests/guest/guest.h $(SPEC_HEADERS) tests/guest/guest.mk \
		tests/client/client.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST_CFLAGS) -Itests/guest -c -o $@ $<

$(B)/tests/client/entry.o: tests/client/entry.asm | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf32 -g -w+all -w+error -o $@ $<

$(B)/tests/client.elf: $(CLIENT_OBJ) tests/client/client.lds
	@echo "  LD      $@"
	@ld -m elf_i386 --no-warn-rwx-segments -z noexecstack \
		-T tests/client/client.lds -o $@ $(CLIENT_OBJ)
