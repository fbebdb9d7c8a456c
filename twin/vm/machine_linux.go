package vm

import (
	"os/exec"
	"syscall"
)

// bind lets the machine end when the thread that started it does, and keeps Ctrl-C from it.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
