// One function for each way to raise an exception, with the address of the instruction that does it
// or the one behind it, whichever the CPU reports, and the address from where to go on.

// A Trigger (main.cpp): `begin NAME`, instructions, `reports NAME` before the reported address, and
// `finish NAME`, where execution goes on after the exception.
        .macro  begin name, section
        .section \section, "ax"
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

        .code64

// ---- ring 0 -------------------------------------------------------------------------------------
        begin   kernel_divide, .text
        xorl    %edx, %edx
        xorl    %ecx, %ecx
        movl    $1, %eax
        reports kernel_divide
        divl    %ecx
        finish  kernel_divide
        end     kernel_divide

        begin   kernel_invalid_opcode, .text
        reports kernel_invalid_opcode
        ud2
        finish  kernel_invalid_opcode
        end     kernel_invalid_opcode

        begin   kernel_single_step, .text       // the trap comes behind the instruction after POPF
        pushfq
        orl     $0x100, (%rsp)
        popfq
        nop
        reports kernel_single_step
        nop
        finish  kernel_single_step
        end     kernel_single_step

        begin   kernel_breakpoint, .text
        int3
        reports kernel_breakpoint
        nop
        finish  kernel_breakpoint
        end     kernel_breakpoint

        begin   kernel_selector_beyond_gdt, .text
        movl    $0x1230, %eax
        reports kernel_selector_beyond_gdt
        movl    %eax, %fs
        finish  kernel_selector_beyond_gdt
        end     kernel_selector_beyond_gdt

        begin   kernel_non_canonical, .text
        movabsq $0x1234567812345678, %rax
        reports kernel_non_canonical
        movq    (%rax), %rax
        finish  kernel_non_canonical
        end     kernel_non_canonical

        begin   kernel_segment_not_present, .text
        movl    $0x38, %eax
        reports kernel_segment_not_present
        movl    %eax, %fs
        finish  kernel_segment_not_present
        end     kernel_segment_not_present

        begin   kernel_stack_segment_not_present, .text
        movl    $0x38, %eax
        reports kernel_stack_segment_not_present
        movl    %eax, %ss
        finish  kernel_stack_segment_not_present
        end     kernel_stack_segment_not_present

        begin   kernel_read, .text              // RDI: an address
        reports kernel_read
        movb    (%rdi), %al
        finish  kernel_read
        end     kernel_read

        begin   kernel_write, .text             // RDI: an address
        reports kernel_write
        movb    $1, (%rdi)
        finish  kernel_write
        end     kernel_write

        begin   kernel_device_not_available, .text    // the caller has set CR0.TS
        reports kernel_device_not_available
        fninit
        finish  kernel_device_not_available
        end     kernel_device_not_available

        begin   kernel_double_fault, .text      // the caller has cut off the gate of #GP
        movabsq $0x1234567812345678, %rax
        reports kernel_double_fault
        movq    (%rax), %rax
        finish  kernel_double_fault
        end     kernel_double_fault

// ---- ring 3 -------------------------------------------------------------------------------------
        begin   user_divide, .user_text
        xorl    %edx, %edx
        xorl    %ecx, %ecx
        movl    $1, %eax
        reports user_divide
        divl    %ecx
        finish  user_divide
        end     user_divide

        begin   user_single_step, .user_text
        pushfq
        orl     $0x100, (%rsp)
        popfq
        nop
        reports user_single_step
        nop
        finish  user_single_step
        end     user_single_step

        begin   user_breakpoint, .user_text
        int3
        reports user_breakpoint
        nop
        finish  user_breakpoint
        end     user_breakpoint

        begin   user_overflow, .user_text       // INTO does not exist in 64-bit mode
        int     $4
        reports user_overflow
        nop
        finish  user_overflow
        end     user_overflow

        begin   user_invalid_opcode, .user_text
        reports user_invalid_opcode
        ud2
        finish  user_invalid_opcode
        end     user_invalid_opcode

        begin   user_privileged, .user_text
        reports user_privileged
        hlt
        finish  user_privileged
        end     user_privileged

        begin   user_port, .user_text
        movl    $7, %eax
        reports user_port
        outb    %al, $0xf4
        finish  user_port
        end     user_port

        begin   user_read, .user_text           // RDI: an address
        reports user_read
        movb    (%rdi), %al
        finish  user_read
        end     user_read

        begin   user_write, .user_text          // RDI: an address
        reports user_write
        movb    $1, (%rdi)
        finish  user_write
        end     user_write

        begin   user_x87_error, .user_text
        fninit
        pushq   $0x37b                          // all but division by zero masked
        fldcw   (%rsp)
        popq    %rax
        fld1
        fldz
        fdivrp
        reports user_x87_error
        fwait
        finish  user_x87_error
        fninit
        end     user_x87_error

        begin   user_simd_error, .user_text
        pushq   $0x1d80                         // all but division by zero masked
        ldmxcsr (%rsp)
        popq    %rax
        pxor    %xmm1, %xmm1
        movl    $0x3f800000, %eax
        movd    %eax, %xmm0
        reports user_simd_error
        divss   %xmm1, %xmm0
        finish  user_simd_error
        pushq   $0x1f80
        ldmxcsr (%rsp)
        popq    %rax
        end     user_simd_error

        begin   user_alignment, .user_text
        pushfq
        orl     $0x40000, (%rsp)
        popfq
        reports user_alignment
        movl    -7(%rsp), %eax
        finish  user_alignment
        end     user_alignment

        .section .note.GNU-stack, "", @progbits
