"""Makes the Word templates: `python -m qc.templates.make_docx`.

They may be changed in Word afterwards; what stands in braces is filled in by docxtpl.
"""

from qc.templates.paper import Paper


def coaching() -> None:
    """The coaching report, with practice sheets and quiz as annexes."""
    paper = Paper()
    paper.title(
        "热线话术辅导报告",
        "{{ report.subject.title }}　　{{ period }}　　共 {{ report.figures.calls }} 通",
    )
    paper.table(
        ["指标", "本报告", "其他人"],
        ["{{ row[0] }}", "{{ row[1] }}", "{{ row[2] }}"],
        "row in headline",
        [60, 49, 49],
        right=(1, 2),
    )
    paper.head("一、做得好的")
    paper.logic("for s in report.strengths")
    paper.say("　{{ s.text }}", bold="{{ s.title }}")
    paper.logic("if s.moment")
    paper.say(
        "“{{ s.moment.said }}”（{{ s.moment.place }}）",
        indent=7,
        size=11,
        soft=True,
    )
    paper.logic("endif")
    paper.logic("else")
    paper.say("通话不多，还看不出稳定的长处。")
    paper.logic("endfor")
    paper.head("二、最值得改的习惯")
    paper.logic("for h in report.habits")
    paper.head("{{ loop.index }}. {{ h.title }}", 2)
    paper.say(
        "{{ h.of }} 通中 {{ h.calls }} 通（{{ h.severity }}）。"
        "依据：{{ h.document }} {{ h.clause }}",
        size=10.5,
        soft=True,
    )
    paper.say("{{ h.instead }}", bold="规范用语：", shaded=True)
    paper.table(
        ["听哪里", "当时说的"],
        [
            "{{ m.place }}",
            "{% if m.before %}市民：{{ m.before }}　{% endif %}"
            "{% if m.said %}“{{ m.said }}”{% endif %}{{ m.note }}",
        ],
        "m in h.moments",
        [48, 110],
    )
    paper.logic("if h.example")
    paper.say(
        "“{{ h.example.said }}”（{{ h.example.row.department }} {{ h.example.row.handler }}）",
        bold="可以学的说法：",
        indent=7,
        size=11,
    )
    paper.logic("endif")
    paper.logic("for situation, answer in h.model_answers")
    paper.say("{{ situation }}　经办人：{{ answer }}", bold="示范：", indent=7, size=11)
    paper.logic("endfor")
    paper.logic("else")
    paper.say("没有发现需要改的习惯。")
    paper.logic("endfor")
    paper.head("三、优秀案例")
    paper.logic("for e in report.examples")
    paper.say(
        "　{{ KINDS[e.row.kind] }}　{{ e.row.verdict.score }} 分　{{ e.row.recording }}",
        bold="{{ e.row.department }} {{ e.row.handler }}",
    )
    paper.logic("for title, words in e.said")
    paper.say("{{ title }}：“{{ words }}”", indent=7, size=11)
    paper.logic("endfor")
    paper.logic("else")
    paper.say("这段时间没有 90 分以上的通话。")
    paper.logic("endfor")
    paper.head("四、要素做到率")
    paper.say("{{ elements }}", align="center")
    paper.head("五、逐周变化")
    paper.say("{{ weeks }}", align="center")
    paper.logic("if report.progress")
    paper.head(
        "培训以来：{{ report.subject.training.title }}"
        "（{{ report.subject.training.held_on | day }}）",
        2,
    )
    paper.table(
        ["项目", "培训前 {{ report.subject.training.weeks }} 周", "培训后", "变化"],
        [
            "{{ p.title }}",
            "{{ p.before }}",
            "{{ p.since }}",
            "{% if p.better %}▲ 进步{% elif p.better == false %}▼ 退步{% endif %}",
        ],
        "p in report.progress",
        [58, 36, 32, 32],
        right=(1, 2),
    )
    paper.logic("endif")
    paper.logic("if report.people")
    paper.head("六、各经办人")
    paper.table(
        ["部门", "经办人", "通话", "话术得分", "态度得分", "通均问题", "不满意件"],
        [
            *(
                "{{ p.department }}",
                "{{ p.handler }}",
                "{{ p.calls }}",
                "{{ p.script_score | points }}",
            ),
            *(
                "{{ p.attitude_score | points }}",
                "{{ p.problems_per_call | points }}",
                "{{ p.dissatisfied }}",
            ),
        ],
        "p in report.people | sort(attribute='script_score')",
        [36, 24, 16, 21, 21, 20, 20],
        right=(2, 3, 4, 5, 6),
    )
    paper.logic("endif")
    paper.say("经办人签收：＿＿＿＿＿＿　　部门负责人：＿＿＿＿＿＿　　日期：＿＿＿＿＿＿")
    paper.say(
        "本报告由机器检查生成，供辅导参考；有异议的可申请复核。"
        "{% if report.unmasked %}含未隐去的个人信息，请勿外传。"
        "{% else %}个人信息已隐去。{% endif %}"
        "制表日期：{{ made_on | day }}。",
        size=9.5,
        soft=True,
    )
    annexes(paper)
    paper.save("coaching.docx")


def annexes(paper: Paper) -> None:
    """Practice sheets, quiz, answers."""
    paper.logic("for sheet in report.sheets")
    paper.break_page()
    paper.head("附件：{{ sheet.title }}")
    paper.say("在横线上写出您会怎么说，写完再看参考用语。", size=10.5, soft=True)
    paper.logic("for line in sheet.lines")
    paper.logic("if line.gap")
    paper.say(
        "（{{ line.gap }}）{{ line.element }}：＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿",
        bold="经办人　",
    )
    paper.logic("else")
    paper.say("{{ line.text }}", bold="{{ '经办人' if line.role == 'agent' else '市　民' }}　")
    paper.logic("endif")
    paper.logic("endfor")
    paper.logic("for s in sheet.situations")
    paper.say("{% for turn in s.before %}{{ turn }}　{% endfor %}", bold="情景 {{ s.number }}　")
    paper.say("＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿", bold="经办人　")
    paper.logic("endfor")
    paper.logic("endfor")
    paper.break_page()
    paper.head("附件：测验")
    paper.logic("for q in report.quiz")
    paper.say(
        "{% for turn in q.before %}{{ turn }}　{% endfor %}{{ q.text }}", bold="{{ loop.index }}. "
    )
    paper.logic("if q.choices | map('length') | sum < 40")
    paper.say(
        "{% for c in q.choices %}{{ 'ABCD'[loop.index0] }}. {{ c }}　　{% endfor %}",
        indent=7, size=11,
    )  # fmt: skip
    paper.logic("else")
    paper.logic("for c in q.choices")
    paper.say("{{ 'ABCD'[loop.index0] }}. {{ c }}", indent=7, size=11)
    paper.logic("endfor")
    paper.logic("endif")
    paper.logic("endfor")
    paper.break_page()
    paper.head("附件：参考用语和答案")
    paper.logic("for sheet in report.sheets")
    paper.head("{{ sheet.title }}", 2)
    paper.logic("for line in sheet.gaps")
    paper.say("（{{ line.gap }}）{{ line.element }}：{{ line.text }}", size=11)
    paper.logic("endfor")
    paper.logic("for s in sheet.situations")
    paper.say(
        "情景 {{ s.number }}：{{ s.reference }}（不能说：“{{ s.wrong }}”，{{ s.behaviour }}）",
        size=11,
    )
    paper.logic("endfor")
    paper.logic("endfor")
    paper.head("测验", 2)
    paper.logic("for q in report.quiz")
    paper.say("{{ loop.index }}. {{ q.letter }}　{{ q.reason }}　（{{ q.source }}）", size=10.5)
    paper.logic("endfor")


def periodic() -> None:
    """The daily, weekly or monthly report."""
    paper = Paper()
    paper.title("热线质检{{ report.title }}", "{{ report.period }}　　{{ made_by }}")
    paper.head("一、摘要")
    paper.logic("for sentence in report.summary")
    paper.say("{{ loop.index }}．{{ sentence }}")
    paper.logic("endfor")
    paper.head("二、各部门排名")
    paper.say("按满意率排列，括号内为该项名次。", size=10.5, soft=True)
    ranked = "（{{{{ row.ranks.{0} or '—' }}}}）"
    paper.table(
        ["处置部门", "工单", "先行联系率", "按期完成率", "满意率", "话术得分", "问题数（通均）"],
        [
            *("{{ row.department }}", "{{ row.orders }}"),
            "{{ row.contacted_rate | rate }}" + ranked.format("contacted_rate"),
            "{{ row.on_time_rate | rate }}" + ranked.format("on_time_rate"),
            "{{ row.satisfied_rate | rate }}" + ranked.format("satisfied_rate"),
            "{{ row.script_score | points }}" + ranked.format("script_score"),
            "{{ row.problems }}（{{ row.problems_per_call | points }}）",
        ],
        "row in ranked",
        [34, 13, 23, 23, 23, 22, 20],
        right=(1, 2, 3, 4, 5, 6),
    )
    paper.head("三、满意率末三位")
    paper.logic("for row in report.last")
    paper.say(
        "　满意率 {{ row.satisfied_rate | rate }}（{{ row.said }} 件有评价）"
        "{% if row.months %}，连续 {{ row.months }} 个月{% endif %}",
        bold="{{ loop.index }}．{{ row.department }}",
    )
    paper.logic("else")
    paper.say("没有。")
    paper.logic("endfor")
    paper.head("四、走势")
    for name in ("scores", "rates"):
        paper.say(f"{{{{ {name} }}}}", align="center")
    paper.head("五、禁止行为和话术要素")
    paper.say("{{ conduct }}", align="center")
    paper.table(
        ["做到最少的话术要素", "做到", "部分做到", "缺失", "做到率"],
        [
            *("{{ row.title }}", "{{ row.met }}", "{{ row.partial }}", "{{ row.missing }}"),
            "{{ row.met_rate | rate }}",
        ],
        "row in report.elements",
        [66, 22, 24, 22, 24],
        right=(1, 2, 3, 4),
    )
    paper.head("六、重复缺陷")
    paper.say("同一经办人在三通以上的电话里有同样的问题。", size=10.5, soft=True)
    paper.table(
        ["处置部门", "经办人", "问题", "通", "最早", "最近"],
        [
            *("{{ row.department }}", "{{ row.handler }}", "{{ row.title }}", "{{ row.calls }}"),
            *("{{ row.first }}", "{{ row.last }}"),
        ],
        "row in report.defects[:20]",
        [36, 22, 36, 12, 26, 26],
        right=(3,),
    )
    paper.head("七、不满意原因")
    paper.say("{{ causes }}", align="center")
    paper.logic("if report.attitude_orders")
    paper.say("因服务态度不满意的工单（重点通报）：")
    paper.table(
        ["工单编号", "日期", "处置部门", "经办人", "原因"],
        [
            *("{{ row.order_id }}", "{{ row.on }}", "{{ row.department }}", "{{ row.handler }}"),
            "{% if row.inferred %}由通话推断，待核实{% else %}回访登记{% endif %}",
        ],
        "row in report.attitude_orders",
        [38, 26, 36, 22, 36],
    )
    paper.logic("else")
    paper.say("没有因服务态度不满意的工单。")
    paper.logic("endif")
    paper.say(
        "满意率以回访为先，没有回访的以通话中的表态为准。制表日期：{{ made_on | day }}。",
        size=9.5, soft=True,
    )  # fmt: skip
    paper.save("periodic.docx")


if __name__ == "__main__":
    coaching()
    periodic()
