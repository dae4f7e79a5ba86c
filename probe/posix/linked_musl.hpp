// The C library inside a static program, which nothing at run time tells.
#pragma once

#include <string>

namespace loopscope {

/// The version of the musl that is linked into this program, "1.2.5"; empty where there is none.
std::string linked_musl();

}  // namespace loopscope
