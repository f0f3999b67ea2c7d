# SPDX-License-Identifier: GPL-2.0-only
# What the guests of the tests share: tests/lib, an archive from which each
# takes what it needs, and how they are built. To add one: sources in
# tests/NAME, and one line,
#		 $(eval $(call guest,NAME,IMAGE,LINKER SCRIPT))

GUEST_CFLAGS	:= -m32 -march=i686 -O2 -g -std=gnu11 -ffreestanding -fno-pic \
		   -fno-stack-protector -mgeneral-regs-only -fcf-protection=none \
		   -fno-asynchronous-unwind-tables $(WARN) -Ispec/include \
		   -Itests/lib
GUEST_LIB	:= $(B)/tests/lib.a
GUEST_LDS	:= tests/lib/guest.lds

# $(1) folder under tests/
guest_objects	= $(patsubst %,$(B)/%.o,$(basename \
		  $(wildcard tests/$(1)/*.c tests/$(1)/*.asm)))

# $(1) folder under tests/, $(2) image, $(3) its linker script
define guest
$(2): $(call guest_objects,$(1)) $(GUEST_LIB) $(3)
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	@ld -m elf_i386 --no-warn-rwx-segments -z noexecstack -T $(3) -o $$@ \
		$(call guest_objects,$(1)) $(GUEST_LIB)

-include $(patsubst %.o,%.d,$(call guest_objects,$(1)))
endef

$(B)/tests/%.o: tests/%.c tests/lib/lib.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%.o: tests/%.asm tests/lib/lib.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf32 -g -w+all -w+error -Itests/lib/ -MD $(@:.o=.d) -MP \
		-o $@ $<

$(GUEST_LIB): $(call guest_objects,lib)
	@rm -f $@
	@ar rcs $@ $^

-include $(patsubst %.o,%.d,$(call guest_objects,lib))
