// Names of types as a programmer wrote them: also of lambdas, which are named after their place.
#pragma once

#include <string>
#include <typeinfo>

namespace loopscope {

/// "app::serve(int)::{lambda()#1}".
std::string type_name(const std::type_info& type);

}  // namespace loopscope
