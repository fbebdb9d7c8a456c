//go:build !linux

package vm

import "os/exec"

// bind does nothing: only Linux has the namespaces without which no machine is started.
func bind(*exec.Cmd) {}
