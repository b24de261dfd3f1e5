// Owns where the keyboard and a screen reader go on when what they stood on goes away.

/** Takes the focus as it appears, for `{@attach}`; what is no control needs `tabindex="-1"`. */
export function grab(element: HTMLElement): void {
  element.focus();
}
