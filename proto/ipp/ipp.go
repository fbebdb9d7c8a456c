// Package ipp builds and reads the one IPP exchange that identification needs: Get-Printer-Attributes
// with a list of wanted attributes (RFC 8011 §4.2.5). The codec is goipp. No I/O.
package ipp

import (
	"fmt"

	"github.com/OpenPrinting/goipp"
)

// ContentType of requests and answers.
const ContentType = goipp.ContentType

// GetPrinterAttributes encodes the request.
func GetPrinterAttributes(id uint32, printerURI string, wanted []string) ([]byte, error) {
	m := goipp.NewRequest(goipp.DefaultVersion, goipp.OpGetPrinterAttributes, id)
	m.Operation.Add(goipp.MakeAttribute("attributes-charset", goipp.TagCharset, goipp.String("utf-8")))
	m.Operation.Add(goipp.MakeAttribute("attributes-natural-language", goipp.TagLanguage, goipp.String("en")))
	m.Operation.Add(goipp.MakeAttribute("printer-uri", goipp.TagURI, goipp.String(printerURI)))
	attr := goipp.Attribute{Name: "requested-attributes"}
	for _, w := range wanted {
		attr.Values.Add(goipp.TagKeyword, goipp.String(w))
	}
	m.Operation.Add(attr)
	b, err := m.EncodeBytes()
	if err != nil {
		return nil, fmt.Errorf("encode IPP request: %w", err)
	}
	return b, nil
}

// Status is an answer's status that is no success, as an error.
type Status uint16

func (s Status) Error() string { return "the printer answered " + goipp.Status(s).String() }

// PrinterAttributes decodes the answer: name to first value as text. A Status comes from a printer that will
// not tell.
func PrinterAttributes(b []byte, id uint32) (map[string]string, error) {
	var m goipp.Message
	if err := m.DecodeBytes(b); err != nil {
		return nil, fmt.Errorf("read IPP answer: %w", err)
	}
	if m.RequestID != id {
		return nil, fmt.Errorf("read IPP answer: not the answer to our request")
	}
	if status := Status(m.Code); status >= 0x0100 {
		return nil, status
	}
	out := make(map[string]string, len(m.Printer))
	for _, a := range m.Printer {
		if len(a.Values) > 0 {
			out[a.Name] = a.Values[0].V.String()
		}
	}
	return out, nil
}
