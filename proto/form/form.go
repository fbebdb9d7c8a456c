// Package form frames an image in a form (multipart/form-data, RFC 7578): what comes before it and after it, so that the image
// itself is streamed. No I/O.
package form

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/textproto"
)

// Field is a part before the image.
type Field struct {
	Name  string
	Type  string // content type; empty: none is said
	Value []byte
}

// Frame gives the content type of a form whose last part, of that name and file name, is an image; head and tail stand around it.
func Frame(name, fileName string, before ...Field) (contentType string, head, tail []byte, err error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, f := range before {
		if err == nil {
			err = part(w, fmt.Sprintf(`form-data; name="%s"`, f.Name), f.Type, f.Value)
		}
	}
	if err == nil {
		err = part(w, fmt.Sprintf(`form-data; name="%s"; filename=%q`, name, fileName), "application/octet-stream", nil)
	}
	n := buf.Len()
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", nil, nil, fmt.Errorf("frame the image: %w", err)
	}
	return w.FormDataContentType(), buf.Bytes()[:n], buf.Bytes()[n:], nil
}

func part(w *multipart.Writer, disposition, contentType string, value []byte) error {
	head := textproto.MIMEHeader{"Content-Disposition": {disposition}}
	if contentType != "" {
		head.Set("Content-Type", contentType)
	}
	p, err := w.CreatePart(head)
	if err == nil {
		_, err = p.Write(value)
	}
	return err
}
