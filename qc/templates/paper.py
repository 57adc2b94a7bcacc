"""A sheet of A4 in the style of an office paper, for making the Word templates.

Fonts follow what offices use (标题 小标宋, 正文 仿宋, 层次 黑体; GB/T 9704-2012).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

FOLDER = Path(__file__).parent
BODY, HEAD, TITLE = "仿宋", "黑体", "方正小标宋简体"
BRAND = RGBColor(0x1F, 0x4E, 0x6B)
SHADE = "E8F0F5"


class Paper:
    """A4 with the styles of an office paper."""

    def __init__(self) -> None:
        self.document = Document()
        section = self.document.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.top_margin, section.bottom_margin = Mm(30), Mm(25)
        section.left_margin = section.right_margin = Mm(26)
        self._style("Normal", BODY, 12)
        self._style("Title", TITLE, 22)
        self._style("Heading 1", HEAD, 15)
        self._style("Heading 2", HEAD, 12.5)
        normal = self.document.styles["Normal"].paragraph_format
        normal.space_after, normal.line_spacing = Pt(4), 1.25
        self._page_number(section.footer.paragraphs[0])

    def _style(self, name: str, font: str, size: float) -> None:
        style: Any = self.document.styles[name]
        style.font.name, style.font.size = "Times New Roman", Pt(size)
        style.font.color.rgb = RGBColor(0, 0, 0) if name in ("Normal", "Title") else BRAND
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        fonts.set(qn("w:eastAsia"), font)
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        language = style.element.get_or_add_rPr().makeelement(qn("w:lang"), {})
        language.set(qn("w:val"), "zh-CN")
        language.set(qn("w:eastAsia"), "zh-CN")
        style.element.rPr.append(language)
        if name == "Title":
            style.paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
            for border in style.element.pPr.findall(qn("w:pBdr")):
                style.element.pPr.remove(border)
        elif name.startswith("Heading"):
            style.paragraph_format.space_before, style.paragraph_format.space_after = Pt(12), Pt(4)
            style.paragraph_format.keep_with_next = True

    @staticmethod
    def _page_number(paragraph: Any) -> None:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        run = paragraph.add_run()
        for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
            name = "w:instrText" if text else "w:fldChar"
            part = OxmlElement(name)
            if text:
                part.text = text
            else:
                part.set(qn("w:fldCharType"), kind)
            run._r.append(part)

    def title(self, text: str, under: str) -> None:
        self.document.add_paragraph(text, style="Title")
        self.say(under, align="center", size=11)

    def head(self, text: str, level: int = 1) -> None:
        self.document.add_heading(text, level)

    def logic(self, tag: str) -> None:
        """A line that holds only a tag and vanishes."""
        self.document.add_paragraph(f"{{%p {tag} %}}")

    def say(
        self, text: str, *, bold: str = "", align: str = "", size: float = 0, indent: float = 0,
        shaded: bool = False, soft: bool = False,
    ) -> None:  # fmt: skip
        paragraph = self.document.add_paragraph()
        paragraph.paragraph_format.keep_with_next = shaded
        if bold:
            paragraph.add_run(bold).bold = True
        paragraph.add_run(text)
        for part in paragraph.runs:
            if size:
                part.font.size = Pt(size)
            if soft:
                part.font.color.rgb = RGBColor(0x55, 0x63, 0x6F)
        if align == "center":
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        if size and size < 11:
            paragraph.paragraph_format.line_spacing = 1.15
        if indent:
            paragraph.paragraph_format.left_indent = Mm(indent)
        if shaded:
            shade(paragraph._p.get_or_add_pPr())

    def table(
        self, head: Sequence[str], cells: Sequence[str], loop: str, widths: Sequence[float],
        *, right: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """A table with a head and one row for each item of the loop."""
        table = self.document.add_table(rows=4, cols=len(head))
        table.style, table.alignment = "Table Grid", WD_TABLE_ALIGNMENT.CENTER
        table.autofit = False
        put(table.rows[0], head, bold=True)
        for cell in table.rows[0].cells:
            shade(cell._tc.get_or_add_tcPr())
        repeat = OxmlElement("w:tblHeader")
        table.rows[0]._tr.get_or_add_trPr().append(repeat)
        put(table.rows[1], [f"{{%tr for {loop} %}}"])
        put(table.rows[2], cells, right=right)
        put(table.rows[3], ["{%tr endfor %}"])
        for row in table.rows:
            row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
            for cell, width in zip(row.cells, widths, strict=True):
                cell.width = Mm(width)
        for column, width in zip(table.columns, widths, strict=True):
            column.width = Mm(width)
        for row in table.rows[:-1]:  # the head stays with the first row
            for cell in row.cells:
                cell.paragraphs[0].paragraph_format.keep_with_next = row is table.rows[0]
        rule_lightly(table)
        self.say("", size=4)

    def break_page(self) -> None:
        self.document.add_page_break()

    def save(self, name: str) -> None:
        self.document.core_properties.author = "hotline-qc"
        self.document.save(str(FOLDER / name))


def shade(properties: Any) -> None:
    """Light blue behind a cell or a paragraph."""
    shading = OxmlElement("w:shd")
    for key, value in (("val", "clear"), ("color", "auto"), ("fill", SHADE)):
        shading.set(qn(f"w:{key}"), value)
    after = ("w:tabs", "w:spacing", "w:ind", "w:contextualSpacing", "w:jc", "w:rPr", "w:vAlign")
    properties.insert_element_before(shading, *after)  # Word minds the order


def rule_lightly(table: Any) -> None:
    """Thin grey rules, and room around the words."""
    properties = table._tbl.tblPr
    borders = OxmlElement("w:tblBorders")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        border = OxmlElement(f"w:{side}")
        for key, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", "A9B7C2")):
            border.set(qn(f"w:{key}"), value)
        borders.append(border)
    margins = OxmlElement("w:tblCellMar")
    for side, twentieths in (("top", 50), ("left", 110), ("bottom", 50), ("right", 110)):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), str(twentieths))
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    properties.insert_element_before(borders, "w:shd", "w:tblLayout", "w:tblLook")
    properties.insert_element_before(margins, "w:tblLook")


def put(row: Any, texts: Sequence[str], *, bold: bool = False, right: Sequence[int] = ()) -> None:
    """Write the cells of a row."""
    for i, text in enumerate(texts):
        paragraph = row.cells[i].paragraphs[0]
        paragraph.paragraph_format.space_after = Pt(1)
        paragraph.paragraph_format.line_spacing = 1.1
        run = paragraph.add_run(text)
        run.font.size, run.bold = Pt(10.5), bold
        if i in right:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
