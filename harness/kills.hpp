// Which faulty loops each scenario catches, as the faulty loops themselves declare.
#pragma once

#include "harness/journal.hpp"

namespace loopscope {

KillTable kill_table();

}  // namespace loopscope
