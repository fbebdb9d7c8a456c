package privilege

import (
	"net"

	"golang.org/x/sys/unix"
)

// PeerUID is the user at the other end of a unix socket, as the kernel says (SO_PEERCRED).
func PeerUID(conn net.Conn) (uid int, ok bool) {
	u, isUnix := conn.(*net.UnixConn)
	if !isUnix {
		return 0, false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || credErr != nil {
		return 0, false
	}
	return int(cred.Uid), true
}
