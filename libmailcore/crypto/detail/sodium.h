// libsodium's start-up.
#pragma once

namespace mailcore::crypto::detail {

/// Lets libsodium choose its fastest code for this processor; cheap after the first time. Any
/// thread.
void start_sodium();

} // namespace mailcore::crypto::detail
