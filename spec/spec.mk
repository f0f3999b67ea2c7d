# SPDX-License-Identifier: GPL-2.0-only
# The contract: NASM gets its numbers from the C headers, and each header
# compiles alone.

SPEC_HEADERS	:= $(wildcard spec/include/*.h)
VMI_INC		:= $(GEN)/vmi.inc

$(GEN)/headers.ok: $(SPEC_HEADERS) | $(B)/.deps
	@mkdir -p $(@D)
	@for h in $(SPEC_HEADERS); do for m in -m32 -m64; do \
		echo "#include \"$$h\"" | $(HOSTCC) $$m -std=gnu11 -ffreestanding \
			-Wpedantic $(WARN) -Ispec/include -I. -fsyntax-only -x c - \
		|| { echo "$$h does not compile alone with $$m" >&2; exit 1; }; \
	done; done
	@touch $@

$(VMI_INC): spec/offsets.c $(SPEC_HEADERS) $(GEN)/headers.ok spec/spec.mk
	@mkdir -p $(@D)
	@echo "  GEN     $@"
	@$(HOSTCC) -m32 -std=gnu11 -ffreestanding -O1 $(WARN) -Ispec/include \
		-S -o $(GEN)/offsets.s $<
	@{ echo '; SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause'; \
	   echo '; Generated from spec/offsets.c; do not edit.'; \
	   sed -n 's/.*"->\([A-Za-z0-9_]*\) \(-\{0,1\}[0-9]*\)".*/%define \1 \2/p' \
		$(GEN)/offsets.s; \
	   echo '; "VMI_FOR_EACH_CALL m" runs m for each number that is assigned.'; \
	   for i in VMI VMI64; do \
		echo "%macro $${i}_FOR_EACH_CALL 1"; \
		sed -n "/$${i}_CALL_COUNT/!s/.*\"->$${i}_CALL_\([A-Za-z0-9]*\) .*/\t%1 \1/p" \
			$(GEN)/offsets.s; \
		echo '%endmacro'; \
	   done; } > $@

# At a release: record the numbers of the headers, if they are compatible with
# those recorded before (VMI-4). tests/run/abi.py compares them.
.PHONY: abi
abi: $(GEN)/headers.ok
	@for i in vmi stub vmi64 stub64; do spec/abi/abi.py update $$i; done
