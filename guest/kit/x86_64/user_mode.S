// Into ring 3 by IRETQ and out of it again: enter_user_mode() returns when leave_user_mode() is called.
        .section .text.user_mode, "ax"
        .code64

// std::uint64_t enter_user_mode(UserFunction function, std::uint64_t argument)
        .globl  enter_user_mode
        .type   enter_user_mode, @function
enter_user_mode:
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
        .size   enter_user_mode, . - enter_user_mode

// void leave_user_mode(std::uint64_t result)
        .globl  leave_user_mode
        .type   leave_user_mode, @function
leave_user_mode:
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
        .size   leave_user_mode, . - leave_user_mode

        .section .bss.user_mode, "aw", @nobits
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
