// TempFolder: the empty folder of a process that asks facts.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "loops/os/temp_folder.hpp"

namespace loopscope {

/// A folder that is removed with everything in it.
class TempFolder {
 public:
  TempFolder() {
    // Without one, the facts that need it say so.
    if (Result<std::string> made = os::make_temp_folder("loopscope-probe"); made.ok()) {
      path_ = std::move(made).value();
    }
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;  // A folder that cannot be removed is not a fact's business.
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace loopscope
