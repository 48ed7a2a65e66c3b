// Into EL0 by ERET and out of it again: enter_user_mode() returns when leave_user_mode() is called.
        .section .text.user_mode, "ax"

// std::uint64_t enter_user_mode(UserFunction function, std::uint64_t argument)
        .globl  enter_user_mode
        .type   enter_user_mode, %function
enter_user_mode:
        stp     x29, x30, [sp, #-96]!
        mov     x29, sp
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        adrp    x2, kernel_sp
        mov     x3, sp
        str     x3, [x2, #:lo12:kernel_sp]

        adrp    x2, user_stack_top
        add     x2, x2, #:lo12:user_stack_top
        msr     sp_el0, x2
        msr     elr_el1, x0
        mov     x3, #0x3c0                      // EL0, interrupts off
        msr     spsr_el1, x3
        mov     x0, x1
        adrp    x30, user_return
        add     x30, x30, #:lo12:user_return
        mov     x29, xzr
        eret
        .size   enter_user_mode, . - enter_user_mode

// void leave_user_mode(std::uint64_t result)
        .globl  leave_user_mode
        .type   leave_user_mode, %function
leave_user_mode:
        adrp    x2, kernel_sp
        ldr     x3, [x2, #:lo12:kernel_sp]
        mov     sp, x3
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #96
        ret
        .size   leave_user_mode, . - leave_user_mode

        .section .bss.user_mode, "aw", %nobits
        .balign 8
kernel_sp:
        .space  8

// Where a function in EL0 returns to: the system call that says what it returned.
        .section .user_text, "ax"
        .balign 4
        .type   user_return, %function
user_return:
        svc     #0
        .size   user_return, . - user_return

        .section .user_stack, "aw", %nobits
        .balign 16
        .space  0x4000
user_stack_top:

        .section .note.GNU-stack, "", %progbits
