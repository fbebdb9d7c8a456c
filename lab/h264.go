package lab

// A still grey picture of 320 x 240 in H.264 constrained baseline, written bit by bit (ITU-T H.264, 7.3).

const (
	h264Columns = 320 / 16
	h264Rows    = 240 / 16
)

// bits is a writer of bits, highest first.
type bits struct {
	b []byte
	n uint // bits used of the last byte
}

func (w *bits) u(width uint, v uint32) {
	for i := int(width) - 1; i >= 0; i-- {
		if len(w.b) == 0 || w.n == 8 {
			w.b, w.n = append(w.b, 0), 0
		}
		w.b[len(w.b)-1] |= byte(v>>uint(i)&1) << (7 - w.n)
		w.n++
	}
}

// ue writes an Exp-Golomb code.
func (w *bits) ue(v uint32) {
	width := uint(0)
	for (v+1)>>(width+1) != 0 {
		width++
	}
	w.u(width, 0)
	w.u(width+1, v+1)
}

// nal ends the payload with its stop bit and puts the header and the emulation prevention bytes in.
func (w *bits) nal(header byte) []byte {
	w.u(1, 1)
	out := []byte{header}
	zeros := 0
	for _, b := range w.b {
		if zeros >= 2 && b <= 3 {
			out, zeros = append(out, 3), 0
		}
		if b == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, b)
	}
	return out
}

// h264SPS is the sequence parameter set: profile 66 with constraints, level 2.0, every picture an IDR.
func h264SPS() []byte {
	var w bits
	w.u(8, 66)
	w.u(8, 0xc0)
	w.u(8, 20)
	w.ue(0)               // seq_parameter_set_id
	w.ue(0)               // log2_max_frame_num_minus4
	w.ue(2)               // pic_order_cnt_type: output order is decoding order
	w.ue(0)               // max_num_ref_frames
	w.u(1, 0)             // gaps_in_frame_num_value_allowed_flag
	w.ue(h264Columns - 1) // pic_width_in_mbs_minus1
	w.ue(h264Rows - 1)    // pic_height_in_map_units_minus1
	w.u(1, 1)             // frame_mbs_only_flag
	w.u(1, 1)             // direct_8x8_inference_flag
	w.u(1, 0)             // frame_cropping_flag
	w.u(1, 0)             // vui_parameters_present_flag
	return w.nal(0x67)
}

// h264PPS is the picture parameter set: CAVLC, everything at its default.
func h264PPS() []byte {
	var w bits
	w.ue(0)   // pic_parameter_set_id
	w.ue(0)   // seq_parameter_set_id
	w.u(1, 0) // entropy_coding_mode_flag
	w.u(1, 0) // bottom_field_pic_order_in_frame_present_flag
	w.ue(0)   // num_slice_groups_minus1
	w.ue(0)   // num_ref_idx_l0_default_active_minus1
	w.ue(0)   // num_ref_idx_l1_default_active_minus1
	w.u(1, 0) // weighted_pred_flag
	w.u(2, 0) // weighted_bipred_idc
	w.ue(0)   // pic_init_qp_minus26 (signed 0 has the same code)
	w.ue(0)   // pic_init_qs_minus26
	w.ue(0)   // chroma_qp_index_offset
	w.u(1, 0) // deblocking_filter_control_present_flag
	w.u(1, 0) // constrained_intra_pred_flag
	w.u(1, 0) // redundant_pic_cnt_present_flag
	return w.nal(0x68)
}

// h264IDR is picture number n: every macroblock predicted from its neighbours' mean, without a residual.
func h264IDR(n uint32) []byte {
	var w bits
	w.ue(0)     // first_mb_in_slice
	w.ue(7)     // slice_type: I, all slices
	w.ue(0)     // pic_parameter_set_id
	w.u(4, 0)   // frame_num
	w.ue(n % 2) // idr_pic_id: differs between neighbours
	w.u(1, 0)   // no_output_of_prior_pics_flag
	w.u(1, 0)   // long_term_reference_flag
	w.ue(0)     // slice_qp_delta
	for range h264Columns * h264Rows {
		w.ue(3)   // mb_type: Intra 16x16, DC prediction, no coefficients
		w.ue(0)   // intra_chroma_pred_mode: DC
		w.ue(0)   // mb_qp_delta
		w.u(1, 1) // coeff_token of the DC block: none
	}
	return w.nal(0x65)
}
