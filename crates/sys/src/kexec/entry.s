# What runs between this kernel and the one that is started, for those that `kexec_file_load` does not take.
#
# The running kernel jumps here when it has moved all segments to their places (arch/x86/kernel/relocate_kernel_64.S):
# 64-bit mode, interrupts off, all memory mapped at its own address, all registers zero, and descriptor tables that
# are empty. Nothing of the old kernel is used again, so everything that is needed is in this one page: it lies
# anywhere below 4 GiB (below 1 MiB for real mode), and finds itself. RBX, later EBX, is its address throughout. The page
# behind it is for a page table.
#
# What differs from kernel to kernel stands at its beginning and is filled in by `entry.rs`, which knows the offsets.

        .pushsection .rodata.xb_kexec_entry, "a", @progbits
        .balign 16
        .globl  xb_kexec_entry
        .globl  xb_kexec_entry_end
        .code64
xb_kexec_entry:
.Lxe:
        jmp     .Lxe_start
        .balign 8
.Lxe_way:       .long   0               #  8: 64, 32 or 16: how many bits the kernel starts in
.Lxe_copies:    .long   0               # 12: how many of the list are to be copied
.Lxe_target:    .quad   0               # 16: where it starts; in real mode unused
.Lxe_eax:       .long   0               # 24: registers that it starts with
.Lxe_ebx:       .long   0               # 28
.Lxe_rsi:       .quad   0               # 32
.Lxe_segment:   .word   0               # 40: real mode: the segment of its setup code,
.Lxe_sp:        .word   0               # 42: and the end of its stack in that
.Lxe_list:      .fill   48, 1, 0        # 44: four copies: from, to, length

        .balign 8
.Lxe_gdt:                               # segments, each present, accessed, of ring 0:
        .quad   0                       # 00
        .quad   0x00af9b000000ffff      # 08: code, 64 bits
.Lxe_gdt_boot:
        .quad   0x00cf9b000000ffff      # 10: code, 32 bits, all of 4 GiB; Linux calls it __BOOT_CS
        .quad   0x00cf93000000ffff      # 18: data, all of 4 GiB; __BOOT_DS
.Lxe_gdt_16:
        .quad   0x00009b000000ffff      # 20: code, 16 bits, 64 KiB from this page on (the base is filled in below)
        .quad   0x000093000000ffff      # 28: data, the same
.Lxe_gdtr:                              # what LGDT reads: the limit, and the address (filled in below)
        .word   .Lxe_gdtr - .Lxe_gdt - 1
        .quad   0
.Lxe_idtr:                              # what LIDT reads: the BIOS' vectors, from 0 on
        .word   0x3ff
        .long   0
.Lxe_far:                               # a far pointer to .Lxe_real: offset, and segment (filled in below)
        .word   .Lxe_real - .Lxe
        .word   0

.Lxe_start:
        cli                                             # they are off; said once more because all depends on it
        cld                                             # strings go upwards
        leaq    .Lxe(%rip), %rbx                        # where this page is
        leaq    4096(%rbx), %rsp                        # its end is the stack
        leaq    (.Lxe_gdt - .Lxe)(%rbx), %rax           # the table's address into what LGDT reads
        movq    %rax, (.Lxe_gdtr - .Lxe + 2)(%rbx)
        lgdt    (.Lxe_gdtr - .Lxe)(%rbx)
        movl    $0x18, %eax                             # data segments of the new table
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %eax, %fs
        movl    %eax, %gs
        leaq    (.Lxe_flat - .Lxe)(%rbx), %rax          # where to go on in 32 bits,
        cmpl    $64, (.Lxe_way - .Lxe)(%rbx)
        jne     2f
        movq    %cr4, %rcx
        btl     $12, %ecx                               # LA57: page tables of five levels
        jc      1f
        movb    $0xaf, (.Lxe_gdt_boot - .Lxe + 6)(%rbx) # Linux' 64-bit entry wants 64-bit code as segment 10
        leaq    (.Lxe_long - .Lxe)(%rbx), %rax          # or in 64,
        jmp     2f
1:      movq    %cr3, %rsi                              # or in 32 for a moment. A kernel that knows four levels only dies of
        andq    $-4096, %rsi                            # five, one that knows five goes on with four: the first table of
        movq    (%rsi), %rsi                            # the second level, which has all memory, becomes that of the first.
        movabsq $0x000ffffffffff000, %rcx
        andq    %rcx, %rsi
        leaq    4096(%rbx), %rdi                        # It may lie above 4 GiB, where 32 bits do not reach
        movl    $512, %ecx
        rep movsq
        leaq    (.Lxe_narrow - .Lxe)(%rbx), %rax
2:      pushq   $0x10                                   # a far return loads the code segment
        pushq   %rax
        lretq

# From five levels to four, which takes paging off (Intel SDM 3A, 4.1.2); EFER.LME stays, so that it comes on with 64 bits.
        .code32
.Lxe_narrow:
        movl    %cr0, %eax
        andl    $0x7fffffff, %eax                       # PG off
        movl    %eax, %cr0
        movl    %cr4, %eax
        andl    $0xffffefff, %eax                       # LA57 off
        movl    %eax, %cr4
        leal    4096(%ebx), %eax
        movl    %eax, %cr3
        movl    %cr0, %eax
        orl     $0x80000000, %eax                       # PG on
        movl    %eax, %cr0
        movb    $0xaf, (.Lxe_gdt_boot - .Lxe + 6)(%ebx) # as above
        leal    (.Lxe_long - .Lxe)(%ebx), %eax
        pushl   $0x10
        pushl   %eax
        lret
        .code64

# Linux' 64-bit entry: paging stays on, RSI points at the parameters.
.Lxe_long:
        movl    %ebx, %ebx                              # after 32 bits the upper half is anything
        movq    (.Lxe_target - .Lxe)(%rbx), %rax
        movq    (.Lxe_rsi - .Lxe)(%rbx), %rsi
        xorl    %ebx, %ebx
        jmpq    *%rax

# 32 bits. The segment is already one of 32 bits; paging off leaves long mode for good.
        .code32
.Lxe_flat:
        movl    %cr0, %eax
        andl    $0x7fffffff, %eax                       # PG off: addresses are physical from here on
        movl    %eax, %cr0
        movl    $0xc0000080, %ecx                       # EFER: no long mode, no NX, no SYSCALL
        xorl    %eax, %eax
        xorl    %edx, %edx
        wrmsr
        movl    %eax, %cr4                              # no PAE nor anything else beyond a 386
        movl    %eax, %cr3                              # and no page tables
        movl    (.Lxe_copies - .Lxe)(%ebx), %edx        # copy what the old kernel could not read
        leal    (.Lxe_list - .Lxe)(%ebx), %ebp
3:      testl   %edx, %edx
        jz      4f
        movl    0(%ebp), %esi
        movl    4(%ebp), %edi
        movl    8(%ebp), %ecx
        rep movsb
        addl    $12, %ebp
        decl    %edx
        jmp     3b
4:      cmpl    $16, (.Lxe_way - .Lxe)(%ebx)
        je      .Lxe_down
        pushl   (.Lxe_target - .Lxe)(%ebx)              # the address to return to is the kernel's entry
        movl    (.Lxe_eax - .Lxe)(%ebx), %eax
        movl    (.Lxe_rsi - .Lxe)(%ebx), %esi
        movl    (.Lxe_ebx - .Lxe)(%ebx), %ebx
        xorl    %ecx, %ecx                              # Linux wants EBP, EDI and EBX zero
        xorl    %edx, %edx
        xorl    %edi, %edi
        xorl    %ebp, %ebp
        ret

# Real mode, by way of segments of 16 bits whose base is this page (Intel SDM 3A, 10.9.2).
.Lxe_down:
        movl    %ebx, %eax                              # the base: bits 0 to 15,
        movw    %ax, (.Lxe_gdt_16 - .Lxe + 2)(%ebx)
        movw    %ax, (.Lxe_gdt_16 - .Lxe + 10)(%ebx)
        shrl    $16, %eax                               # and 16 to 23
        movb    %al, (.Lxe_gdt_16 - .Lxe + 4)(%ebx)
        movb    %al, (.Lxe_gdt_16 - .Lxe + 12)(%ebx)
        movl    %ebx, %eax                              # the same as a segment of real mode
        shrl    $4, %eax
        movw    %ax, (.Lxe_far - .Lxe + 2)(%ebx)
        lidt    (.Lxe_idtr - .Lxe)(%ebx)
        pushl   $0x20
        pushl   $(.Lxe_16 - .Lxe)
        lret
        .code16
.Lxe_16:
        movw    $0x28, %ax                              # limits of 64 KiB: they outlive protected mode
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    %ax, %fs
        movw    %ax, %gs
        movl    %cr0, %eax
        andl    $0xfffffffe, %eax                       # PE off
        movl    %eax, %cr0
        ljmpw   *(.Lxe_far - .Lxe)                      # the code segment becomes one of real mode
.Lxe_real:
        movw    %cs, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $4096, %esp

# The interrupt controllers as a BIOS has them: Linux moved their vectors (Intel 8259A: ICW1 to ICW4).
        movb    $0x11, %al                              # begin; four words follow
        outb    %al, $0x20
        outb    %al, $0x80                              # a write to nowhere is the pause that old ones need
        outb    %al, $0xa0
        outb    %al, $0x80
        movb    $0x08, %al                              # IRQ 0 to 7 are vectors 08 to 0f
        outb    %al, $0x21
        outb    %al, $0x80
        movb    $0x70, %al                              # IRQ 8 to 15 are vectors 70 to 77
        outb    %al, $0xa1
        outb    %al, $0x80
        movb    $0x04, %al                              # the second one is at the first's line 2
        outb    %al, $0x21
        outb    %al, $0x80
        movb    $0x02, %al
        outb    %al, $0xa1
        outb    %al, $0x80
        movb    $0x01, %al                              # of an 8086
        outb    %al, $0x21
        outb    %al, $0x80
        outb    %al, $0xa1
        outb    %al, $0x80
        movb    $0xb8, %al                              # timer, keyboard, the second one, floppy
        outb    %al, $0x21
        outb    %al, $0x80
        movb    $0x8f, %al                              # mouse, coprocessor, first disk
        outb    %al, $0xa1
        outb    %al, $0x80

# The timer as a BIOS has it: channel 0, square wave, 65536 ticks.
        movb    $0x36, %al
        outb    %al, $0x43
        outb    %al, $0x80
        xorb    %al, %al
        outb    %al, $0x40
        outb    %al, $0x80
        outb    %al, $0x40

        movw    $0x0003, %ax                            # text, 80 by 25: who comes expects it
        int     $0x10
        cli

# Start: all data segments are the setup code's, which begins 512 bytes behind its first sector.
        movw    (.Lxe_sp - .Lxe), %bx
        movw    (.Lxe_segment - .Lxe), %ax
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movzwl  %bx, %esp
        movw    %ax, %ds
        addw    $0x20, %ax
        pushw   %ax
        pushw   $0
        xorl    %eax, %eax
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %esi, %esi
        xorl    %edi, %edi
        xorl    %ebp, %ebp
        lretw
        .code64
xb_kexec_entry_end:
        .popsection
