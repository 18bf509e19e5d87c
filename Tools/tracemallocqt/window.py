"""The viewer's window.

Everything that can be known without one is in model.py.
"""
try:
    from PySide6.QtCore import (QAbstractTableModel, QModelIndex,
                                QSortFilterProxyModel, Qt)
    from PySide6.QtWidgets import (
        QApplication, QCheckBox, QComboBox, QHBoxLayout, QLabel, QLineEdit,
        QListWidget, QListWidgetItem, QMainWindow, QPlainTextEdit, QSplitter,
        QTableView, QVBoxLayout, QWidget)
except ImportError:
    from PyQt6.QtCore import (QAbstractTableModel, QModelIndex,
                              QSortFilterProxyModel, Qt)
    from PyQt6.QtWidgets import (
        QApplication, QCheckBox, QComboBox, QHBoxLayout, QLabel, QLineEdit,
        QListWidget, QListWidgetItem, QMainWindow, QPlainTextEdit, QSplitter,
        QTableView, QVBoxLayout, QWidget)

import model

Role = Qt.ItemDataRole
SORT_ROLE = Role.UserRole


class RowsModel(QAbstractTableModel):
    """Rows of a Session, as Qt wants to be asked about them."""

    def __init__(self, session):
        super().__init__()
        self.session = session
        self.rows = []
        self.columns = session.columns

    def renew(self):
        rows = self.session.rows()      # first: it may raise
        self.beginResetModel()
        self.rows, self.columns = rows, self.session.columns
        self.endResetModel()

    def rowCount(self, parent=QModelIndex()):
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent=QModelIndex()):
        return 0 if parent.isValid() else 1 + len(self.columns)

    def headerData(self, section, orientation, role=Role.DisplayRole):
        if role != Role.DisplayRole:
            return None
        if orientation == Qt.Orientation.Vertical:
            return section + 1
        return (self.columns[section - 1][0] if section
                else self.session.group.capitalize())

    def data(self, index, role=Role.DisplayRole):
        row, column = self.rows[index.row()], index.column()
        if role == Role.TextAlignmentRole:
            side = (Qt.AlignmentFlag.AlignRight if column
                    else Qt.AlignmentFlag.AlignLeft)
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Role.ToolTipRole and not column:
            return "\n".join(model.frame_lines(row))
        if role not in (Role.DisplayRole, SORT_ROLE):
            return None
        if not column:
            return row.text
        value, kind = row.values[column - 1], self.columns[column - 1][1]
        if role == Role.DisplayRole:
            return model.value_text(value, kind)
        return -1.0 if value is None else float(value)


class Window(QMainWindow):

    def __init__(self, session):
        super().__init__()
        self.session = session
        self.files = QListWidget()
        for file in session.files:
            item = QListWidgetItem(file.label)
            item.setToolTip(file.path)
            self.files.addItem(item)
        self.group = QComboBox()
        self.group.addItems(list(model.GROUPS))
        self.cumulative = QCheckBox("Cumulative")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Show lines with this text")
        self.rows = RowsModel(session)
        self.sorted = QSortFilterProxyModel()
        self.sorted.setSourceModel(self.rows)
        self.sorted.setSortRole(SORT_ROLE)
        self.table = QTableView()
        self.table.setModel(self.sorted)
        self.table.setSelectionBehavior(
            QTableView.SelectionBehavior.SelectRows)
        self.table.setSortingEnabled(True)
        self.source = QPlainTextEdit()
        self.source.setReadOnly(True)
        self._arrange()
        self.files.itemChanged.connect(self._file_checked)
        self.group.currentTextChanged.connect(self._group_chosen)
        self.cumulative.toggled.connect(self._cumulative_chosen)
        self.search.textChanged.connect(self.sorted.setFilterFixedString)
        self.table.selectionModel().currentRowChanged.connect(self._row_chosen)
        self.refresh()

    def _arrange(self):
        choice = QHBoxLayout()
        for widget in (QLabel("Group by"), self.group, self.cumulative,
                       self.search):
            choice.addWidget(widget)
        right = QSplitter(Qt.Orientation.Vertical)
        right.addWidget(self.table)
        right.addWidget(self.source)
        right.setStretchFactor(0, 3)
        panel = QWidget()
        layout = QVBoxLayout(panel)
        layout.addLayout(choice)
        layout.addWidget(right)
        whole = QSplitter()
        whole.addWidget(self.files)
        whole.addWidget(panel)
        whole.setStretchFactor(1, 4)
        self.setCentralWidget(whole)
        self.resize(1100, 700)

    def refresh(self):
        """Show the session as it is now; what cannot be loaded is said below.
        """
        self.files.blockSignals(True)
        for number in range(self.files.count()):
            checked = number in self.session.checked
            self.files.item(number).setCheckState(
                Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked)
        self.files.blockSignals(False)
        self.cumulative.setEnabled(self.session.group in model.CUMULATIVE)
        self.source.clear()
        self.setWindowTitle(f"{self.session.title()} - tracemallocqt")
        try:
            self.rows.renew()
            self.statusBar().showMessage(self.session.summary())
        except (OSError, ValueError) as error:
            self.statusBar().showMessage(f"not loaded: {error}")
            return
        # The rows come as tracemalloc sorts them;
        # a click on a title changes that.
        self.table.horizontalHeader().setSortIndicator(
            -1, Qt.SortOrder.AscendingOrder)
        self.table.resizeColumnsToContents()

    def _file_checked(self, item):
        self.session.check(self.files.row(item),
                           item.checkState() == Qt.CheckState.Checked)
        self.refresh()

    def _group_chosen(self, name):
        self.session.group = name
        self.refresh()

    def _cumulative_chosen(self, on):
        self.session.cumulative = on
        self.refresh()

    def _row_chosen(self, index, previous):
        if index.isValid():
            row = self.rows.rows[self.sorted.mapToSource(index).row()]
            self.source.setPlainText("\n".join(model.frame_lines(row)))


def show(session):
    """Open the window and return the exit status when it is closed."""
    application = QApplication.instance() or QApplication(["tracemallocqt"])
    window = Window(session)
    window.show()
    return application.exec()
