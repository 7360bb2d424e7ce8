// A door: the machine of the tests here.
#pragma once

#include "runtime/state/table.h"

namespace door {

enum class Door { Shut, Open, Locked, Gone, Count_ };
enum class Act { Pull, Push, Turn, Burn, Count_ };

inline const char* to_string(Door state) {
    constexpr const char* kNames[] = {"shut", "open", "locked", "gone"};
    return kNames[static_cast<int>(state)];
}
inline const char* to_string(Act event) {
    constexpr const char* kNames[] = {"pull", "push", "turn", "burn"};
    return kNames[static_cast<int>(event)];
}

inline constexpr auto kDoor =
    hawser::state::make_table<Door, Act>(Door::Shut,
                                         {
                                             {Door::Shut, Act::Pull, Door::Open},
                                             {Door::Shut, Act::Turn, Door::Locked},
                                             {Door::Shut, Act::Burn, Door::Gone},
                                             {Door::Open, Act::Push, Door::Shut},
                                             {Door::Open, Act::Burn, Door::Gone},
                                             {Door::Locked, Act::Turn, Door::Shut},
                                             {Door::Locked, Act::Burn, Door::Gone},
                                             {Door::Locked, Act::Pull, Door::Locked},
                                         },
                                         {
                                             {Act::Push, Door::Shut},
                                             {Act::Push, Door::Locked},
                                             {Act::Push, Door::Gone},
                                             {Act::Turn, Door::Gone},
                                             {Act::Pull, Door::Gone},
                                             {Act::Burn},  // wherever it burns already
                                         });

}  // namespace door
