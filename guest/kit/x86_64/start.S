// The first instructions of a kernel: its own stack and tables, then guest_start(). Entered in 64-bit
// mode with the address of the BootInfo in RDI, paging on, interrupts off. The loader has zeroed .bss.
        .section .text.start, "ax"
        .code64
        .globl  _start
        .type   _start, @function
_start:
        cld
        leaq    boot_stack_top(%rip), %rsp
        lgdt    gdt_pointer(%rip)
        lidt    idt_pointer(%rip)

        movl    $0x10, %eax                     // kernel data, see tables.S
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %ebp, %ebp                      // the end of every chain of frames
        movl    %ebp, %fs
        movl    %ebp, %gs

        pushq   $0x08                           // kernel code
        leaq    1f(%rip), %rax
        pushq   %rax
        lretq
1:      movl    $0x28, %eax
        ltr     %ax
        call    guest_start
        ud2                                     // it never returns
        .size   _start, . - _start

        .section .bss.boot_stack, "aw", @nobits
        .balign 16
        .space  0x4000
        .globl  boot_stack_top
boot_stack_top:

        .section .note.GNU-stack, "", @progbits
