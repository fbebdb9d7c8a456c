//go:build !unix

package match

import "os"

// mapped gives a file's bytes.
func mapped(path string) (block []byte, unmap func() error, err error) {
	block, err = os.ReadFile(path)
	return block, func() error { return nil }, err
}

func giveBack([]byte) {}
