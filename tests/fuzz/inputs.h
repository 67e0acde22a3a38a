// Where the inputs of a fuzz target come from.
#pragma once

#include <string>
#include <vector>

namespace mailcore::fuzz {

/// What the file, or each file below the folder, holds; nothing if it is not there.
void collect(const std::string& path, std::vector<std::string>& inputs);

/// What the target starts from: the files and folders that its `fuzz_seeds()` names.
[[nodiscard]] std::vector<std::string> seeds();

} // namespace mailcore::fuzz
