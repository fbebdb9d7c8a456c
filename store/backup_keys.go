package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/firmward/firmward"
)

// backupKeys is the first line of a backup that holds key files: their names and contents. The dump follows.
type backupKeys struct {
	Keys map[string][]byte `json:"firmward-keys"`
}

// maxKeysLine bounds that line, in bytes.
const maxKeysLine = 1 << 20

// WriteKeys begins a backup with key files. It belongs into what Encrypt gives, never into a plain file.
func WriteKeys(w io.Writer, files map[string][]byte) error {
	if err := json.NewEncoder(w).Encode(backupKeys{files}); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	return nil
}

// ReadKeys reads the key files at the beginning of a backup, none when it holds none, and gives what follows. Invalid when
// they are damaged.
func ReadKeys(r io.Reader) (files map[string][]byte, dump io.Reader, err error) {
	br := bufio.NewReaderSize(r, maxKeysLine)
	const begin = `{"firmward-keys"`
	if head, err := br.Peek(len(begin)); err != nil || string(head) != begin {
		return nil, br, nil // reading on says what is wrong
	}
	line, err := br.ReadSlice('\n')
	var keys backupKeys
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(line)).Decode(&keys)
	}
	if err != nil {
		return nil, nil, &firmward.Error{Code: firmward.Invalid, Message: "the keys in the backup are damaged", Err: err}
	}
	return keys.Keys, br, nil
}
