// Whether restartable sequences work in this process, and which processor ids they give.
#pragma once

#include <optional>
#include <string>

namespace lowtide::tools {

struct restartable_sequences {
    std::string summary; // "mm_cid", "cpu_id" or "no"
    std::string meaning;
};

restartable_sequences find_restartable_sequences();

/// membarrier's PRIVATE_EXPEDITED_RSEQ; nothing where the kernel refuses the question.
std::optional<bool> membarrier_rseq_works();

} // namespace lowtide::tools
