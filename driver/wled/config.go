package wled

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/driver"
	"github.com/firmward/firmward/proto/wled"
	"github.com/firmward/firmward/wire"
)

// Backup fetches configuration and presets as one archive. WLED keeps passwords apart and gives them to nobody; a usermod may not.
func (Driver) Backup(ctx context.Context, c wire.Conn, w io.Writer) error {
	c, err := unlock(ctx, c)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	files, err := fetch(ctx, c)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	b, err := wled.Pack(files...)
	if err == nil {
		_, err = w.Write(b)
	}
	if err != nil {
		return fmt.Errorf("keep the backup: %w", err)
	}
	return nil
}

// fetch reads the configuration, and the presets where there are some.
func fetch(ctx context.Context, c wire.Conn) ([]wled.File, error) {
	config, err := driver.Get(ctx, c, port, wled.ConfigPath)
	if err != nil {
		return nil, locked(err)
	}
	if !wled.IsConfig(config) {
		return nil, firmward.Errorf(firmward.Unavailable, "what came is no configuration")
	}
	files := []wled.File{{Path: wled.ConfigPath, Body: config}}
	presets, err := driver.Get(ctx, c, port, wled.PresetsPath)
	switch said, answered := errors.AsType[*driver.Said](err); {
	case answered && said.Status == http.StatusNotFound:
	case err != nil:
		return nil, err
	default:
		files = append(files, wled.File{Path: wled.PresetsPath, Body: presets})
	}
	return files, nil
}

// Restore puts the presets of another controller and then its configuration, with which this one restarts. Its name, its network and
// its passwords stay its own.
func (Driver) Restore(ctx context.Context, c wire.Conn, saved []byte) error {
	config, presets, err := wled.Unpack(saved)
	if err != nil {
		return &firmward.Error{Code: firmward.Invalid, Message: "restore", Err: err}
	}
	if c, err = unlock(ctx, c); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	mine, err := fetch(ctx, c)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if config, err = wled.Adopt(config, mine[0].Body); err != nil {
		return &firmward.Error{Code: firmward.Invalid, Message: "restore", Err: err}
	}
	if presets != nil {
		if err := put(ctx, c, wled.PresetsPath, presets); err != nil {
			return err
		}
	}
	return put(ctx, c, wled.ConfigPath, config)
}

func put(ctx context.Context, c wire.Conn, path string, body []byte) error {
	contentType, head, tail, err := wled.FileForm(path)
	if err != nil {
		return err
	}
	said, err := driver.Post(ctx, c, port, wled.UploadPath, contentType, bytes.Join([][]byte{head, body, tail}, nil))
	if err != nil {
		return fmt.Errorf("restore %s: %w", path, locked(err))
	}
	if !wled.Uploaded(said) {
		return firmward.Errorf(firmward.Unavailable, "restore "+path+": the controller's answer does not say that it took the file")
	}
	return nil
}
