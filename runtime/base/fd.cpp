#include "runtime/base/fd.h"

#include <unistd.h>

namespace hawser {

void Fd::reset(int fd) {
    if (fd_ >= 0) ::close(fd_);  // EINTR included: Linux has closed it then
    fd_ = fd;
}

}  // namespace hawser
