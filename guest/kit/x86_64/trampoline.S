// Where a CPU begins that another one starts: in real mode, on a page below 1 MiB that start_cpu()
// copied this to, and from there in one step to 64-bit mode and the kernel proper (Intel SDM volume
// 3, "Multiple-Processor (MP) Initialization").
        .section .rodata.trampoline, "a"
        .code16
        .globl  trampoline_begin
trampoline_begin:
        cli
        cld
        movw    %cs, %ax                        // the page, which DS:0 is the start of
        movw    %ax, %ds
        lgdtl   trampoline_gdt - trampoline_begin
        movl    trampoline_cr4 - trampoline_begin, %eax
        movl    %eax, %cr4
        movl    trampoline_cr3 - trampoline_begin, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx               // EFER
        movl    trampoline_efer - trampoline_begin, %eax
        xorl    %edx, %edx
        wrmsr
        movl    trampoline_cr0 - trampoline_begin, %eax
        movl    %eax, %cr0                      // protection and paging at once
        ljmpl   *(trampoline_target - trampoline_begin)

// What start_cpu() fills in, see TrampolineData in smp.cpp.
        .balign 8
        .globl  trampoline_data
trampoline_data:
trampoline_cr0:         .long   0
trampoline_cr3:         .long   0
trampoline_cr4:         .long   0
trampoline_efer:        .long   0
trampoline_target:      .long   0
                        .word   0x08            // kernel code, see tables.S
trampoline_gdt:         .word   0
                        .long   0
        .globl  trampoline_end
trampoline_end:

        .section .text.cpu_entry, "ax"
        .code64
        .globl  cpu_entry
        .type   cpu_entry, @function
cpu_entry:
        movl    $0x10, %eax                     // kernel data
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %ebp, %ebp                      // the end of every chain of frames
        movl    %ebp, %fs
        movl    %ebp, %gs
        movq    starting_stack(%rip), %rsp
        lidt    idt_pointer(%rip)
        call    guest_cpu_main
        ud2                                     // it never returns
        .size   cpu_entry, . - cpu_entry

        .section .note.GNU-stack, "", @progbits
