// What an x86_64 host's machines are.
#include "vmm/native.h"

namespace nestling {

Architecture native_architecture() { return Architecture::kX86_64; }

Stage2Kind native_stage2() { return Stage2Kind::kEpt4; }

unsigned long vm_type(const KvmSystem& /*kvm*/) { return 0; }

}  // namespace nestling
