// Into ring 3 by IRETQ and out of it again: enter_ring3() returns when leave_ring3() is called.
        .section .text.ring3, "ax"
        .code64

// std::uint64_t enter_ring3(UserFunction function, std::uint64_t argument)
        .globl  enter_ring3
        .type   enter_ring3, @function
enter_ring3:
        pushq   %rbp
        movq    %rsp, %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, kernel_rsp(%rip)

        pushq   $0x1b                           // user data, see tables.S
        leaq    user_return_slot(%rip), %rax
        pushq   %rax                            // RSP: the address to return to lies there
        leaq    user_return(%rip), %rcx
        movq    %rcx, (%rax)
        pushq   $0x2                            // RFLAGS: interrupts off, no port allowed
        pushq   $0x23                           // user code
        pushq   %rdi
        movq    %rsi, %rdi
        xorl    %ebp, %ebp
        iretq
        .size   enter_ring3, . - enter_ring3

// void leave_ring3(std::uint64_t result)
        .globl  leave_ring3
        .type   leave_ring3, @function
leave_ring3:
        movl    $0x10, %eax                     // entered from ring 3 with a null SS
        movl    %eax, %ss
        movq    kernel_rsp(%rip), %rsp
        movq    %rdi, %rax
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
        .size   leave_ring3, . - leave_ring3

        .section .bss.ring3, "aw", @nobits
        .balign 8
kernel_rsp:
        .space  8

// Where a function in ring 3 returns to: the system call that says what it returned.
        .section .user_text, "ax"
        .type   user_return, @function
user_return:
        movq    %rax, %rdi
        int     $0x80
        .size   user_return, . - user_return

        .section .user_stack, "aw", @nobits
        .balign 16
        .space  0x4000 - 8
user_return_slot:
        .space  8

        .section .note.GNU-stack, "", @progbits
