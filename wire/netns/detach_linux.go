package netns

import (
	"os/exec"
	"syscall"
)

// detach keeps Ctrl-C of a terminal, which goes to all of a process group, away from ip.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
