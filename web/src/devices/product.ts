// product names what a device is; many a vendor has its own name in the model's.
export function product(d: { vendor?: string; model?: string }): string {
  const [vendor, model] = [d.vendor ?? '', d.model ?? ''];
  return model.toLowerCase().startsWith(vendor.toLowerCase()) ? model : `${vendor} ${model}`.trim();
}
