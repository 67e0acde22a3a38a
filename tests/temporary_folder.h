// A folder of the kernel's file system that is gone at the end of a test.
#pragma once

#include "libmailcore/base/assert.h"
#include "libmailcore/base/file.h"

#include <cstdlib>
#include <string>
#include <unistd.h>

namespace mailcore::test {

class TemporaryFolder {
  public:
    TemporaryFolder() { MAILCORE_ASSERT(::mkdtemp(path_.data())); }
    ~TemporaryFolder() { remove(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    static void remove(const std::string& path) {
        base::PosixFileSystem files;
        if (const auto names = files.list(path))
            for (const auto& name : *names)
                if (!files.remove(path + "/" + name)) remove(path + "/" + name);
        ::rmdir(path.c_str());
    }
    std::string path_ = "/tmp/mailcore-test-XXXXXX";
};

} // namespace mailcore::test
