// One function for each way to raise an exception, with the address of the instruction that does it
// or the one behind it, whichever the CPU reports, and the address from where to go on.

// A Trigger (main.cpp): `begin NAME`, instructions, `reports NAME` before the reported address, and
// `finish NAME`, where execution goes on after the exception.
        .macro  begin name, section
        .section \section, "ax"
        .balign 4
\name\()_entry:
        .endm
        .macro  reports name
\name\()_reported:
        .endm
        .macro  finish name
\name\()_resume:
        .endm
        .macro  end name
        ret
        .section .rodata.triggers, "a"
        .balign 8
        .globl  \name
\name:  .quad   \name\()_entry, \name\()_reported, \name\()_resume
        .endm

// ---- EL1 ----------------------------------------------------------------------------------------
        begin   kernel_undefined, .text
        reports kernel_undefined
        udf     #0
        finish  kernel_undefined
        end     kernel_undefined

        begin   kernel_breakpoint, .text
        reports kernel_breakpoint
        brk     #0x123
        finish  kernel_breakpoint
        end     kernel_breakpoint

        begin   kernel_system_call, .text       // reported is the instruction behind
        svc     #0x456
        reports kernel_system_call
        finish  kernel_system_call
        end     kernel_system_call

        begin   kernel_illegal_state, .text
        adr     x1, kernel_illegal_state_reported
        msr     elr_el1, x1
        mov     x1, #0x3c9                      // EL2, from where nobody came
        msr     spsr_el1, x1
        eret
        reports kernel_illegal_state
        nop
        finish  kernel_illegal_state
        end     kernel_illegal_state

        begin   kernel_read, .text              // X0: an address
        reports kernel_read
        ldrh    w0, [x0]
        finish  kernel_read
        end     kernel_read

        begin   kernel_write, .text             // X0: an address
        reports kernel_write
        strb    w0, [x0]
        finish  kernel_write
        end     kernel_write

        begin   kernel_jump, .text              // X0: an address, which is what is reported
        br      x0
        .set    kernel_jump_reported, 0
        finish  kernel_jump
        end     kernel_jump

        begin   kernel_floating_point, .text
        reports kernel_floating_point
        fmov    d0, xzr
        finish  kernel_floating_point
        end     kernel_floating_point

// ---- EL0 ----------------------------------------------------------------------------------------
        begin   user_undefined, .user_text
        reports user_undefined
        udf     #0
        finish  user_undefined
        end     user_undefined

        begin   user_breakpoint, .user_text
        reports user_breakpoint
        brk     #0x321
        finish  user_breakpoint
        end     user_breakpoint

        begin   user_interrupt_mask, .user_text
        reports user_interrupt_mask
        msr     daifset, #2
        finish  user_interrupt_mask
        end     user_interrupt_mask

        begin   user_wait, .user_text
        reports user_wait
        wfi
        finish  user_wait
        end     user_wait

        begin   user_counter, .user_text
        reports user_counter
        mrs     x0, cntvct_el0
        finish  user_counter
        end     user_counter

        begin   user_read, .user_text           // X0: an address
        reports user_read
        ldrh    w0, [x0]
        finish  user_read
        end     user_read

        begin   user_write, .user_text          // X0: an address
        reports user_write
        strb    w0, [x0]
        finish  user_write
        end     user_write

        begin   user_jump, .user_text           // X0: an address, which is what is reported
        br      x0
        .set    user_jump_reported, 0
        finish  user_jump
        end     user_jump

        begin   user_stack_alignment, .user_text
        sub     sp, sp, #8
        reports user_stack_alignment
        ldr     x0, [sp]
        finish  user_stack_alignment
        add     sp, sp, #8
        end     user_stack_alignment

        begin   user_single_step, .user_text    // the handler of BRK has it step over the NOP
        brk     #0
        nop
        reports user_single_step
        nop
        finish  user_single_step
        end     user_single_step

        .section .note.GNU-stack, "", %progbits
